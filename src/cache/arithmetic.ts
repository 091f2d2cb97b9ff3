import type { U64 } from '../item.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** `a + b`, wrapping at 2^64. */
export function addWrapping(a: U64, b: U64): U64 {
  if (typeof a === 'number' && typeof b === 'number' && a + b <= Number.MAX_SAFE_INTEGER) return a + b;
  return canonical((BigInt(a) + BigInt(b)) & U64_MAX);
}

/** `a - b`, but not below 0. */
export function subtractToZero(a: U64, b: U64): U64 {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(0, a - b);
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? 0 : canonical(difference);
}

function canonical(n: bigint): U64 {
  return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n;
}
