import type { U64 } from './item.ts';

/*
 * Memcached has two number parsers, and clients can see it (docs/protocol.md):
 *
 *   strict  digit*, with a sign '-' digit*     lengths, cas ids, deltas, exptime of touch, gat and flush_all
 *   loose   blank* [sign] digit+ (blank | end) flags and exptime of storage commands, stored values
 *
 * All of them read a range of a buffer and return undefined for what is not such a number.
 */

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;

const U32_MAX = 0xffff_ffff;
const I32_MAX = 0x7fff_ffff;
const U64_MAX = (1n << 64n) - 1n;
const I64_LIMIT = 1n << 63n;

/** The strict parsers refuse longer words even when leading zeros make up the length, as memcached does. */
const STRICT_32_MAX_LENGTH = 11;
const STRICT_64_MAX_LENGTH = 22;

/** Up to here one more digit cannot leave the range of exact numbers. */
const EXACT_BEFORE_DIGIT = Math.floor((Number.MAX_SAFE_INTEGER - 9) / 10);

/** Memcached keeps larger values in pieces, where it does not look for a number. */
const NUMERIC_VALUE_MAX_LENGTH = 512 * 1024;

/** Reads a strict unsigned number of 32 bits. */
export function parseU32(buffer: Buffer, start: number, end: number): number | undefined {
  if (end <= start || end - start > STRICT_32_MAX_LENGTH) {
    return undefined;
  }
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (buffer[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) {
      return undefined;
    }
    value = value * 10 + digit;
  }
  return value > U32_MAX ? undefined : value;
}

/** Reads a strict signed number of 32 bits. A lone `-` is 0, as it is for memcached. */
export function parseI32(buffer: Buffer, start: number, end: number): number | undefined {
  if (end <= start || end - start > STRICT_32_MAX_LENGTH) {
    return undefined;
  }
  const negative = buffer[start] === MINUS;
  let value = 0;
  for (let i = negative ? start + 1 : start; i < end; i++) {
    const digit = (buffer[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) {
      return undefined;
    }
    value = value * 10 + digit;
  }
  if (negative) {
    // 0 - value, because -value would be -0 for `-0`.
    return value > I32_MAX + 1 ? undefined : 0 - value;
  }
  return value > I32_MAX ? undefined : value;
}

/** Reads a strict unsigned number of 64 bits. */
export function parseU64(buffer: Buffer, start: number, end: number): U64 | undefined {
  if (end <= start || end - start > STRICT_64_MAX_LENGTH || digitsEnd(buffer, start, end) !== end) {
    return undefined;
  }
  return digitsToU64(buffer, start, end);
}

/**
 * Reads client flags as strtoul does, and cuts them to 32 bits unsigned.
 *
 * `end` is the end of the line, not of the word: a word of tabs alone is a blank to strtoul, which then goes on
 * with the next word.
 */
export function parseLooseFlags(buffer: Buffer, start: number, end: number): number | undefined {
  const value = parseLooseU64(buffer, start, end);
  if (value === undefined) {
    return undefined;
  }
  return typeof value === 'number' ? value >>> 0 : Number(BigInt.asUintN(32, value));
}

/** Reads an exptime as strtol does, and cuts it to 32 bits signed. `end` is the end of the line. */
export function parseLooseExptime(buffer: Buffer, start: number, end: number): number | undefined {
  const number = findLoose(buffer, start, end);
  if (number === 0) {
    return undefined;
  }
  const digits = Math.abs(number) - 1;
  const magnitude = digitsToU64(buffer, digits, digitsEnd(buffer, digits, end));
  if (magnitude === undefined) {
    return undefined;
  }
  if (typeof magnitude === 'number') {
    return number < 0 ? (0 - magnitude) | 0 : magnitude | 0;
  }
  if (magnitude > I64_LIMIT || (magnitude === I64_LIMIT && number > 0)) {
    return undefined;
  }
  return Number(BigInt.asIntN(32, number < 0 ? -magnitude : magnitude));
}

/** Reads the number that a stored value stands for in incr and decr; undefined when it stands for none. */
export function parseStoredNumber(buffer: Buffer, start: number, end: number): U64 | undefined {
  return end - start > NUMERIC_VALUE_MAX_LENGTH ? undefined : parseLooseU64(buffer, start, end);
}

/** As strtoull behind memcached's check for signs: 64 bits unsigned. */
function parseLooseU64(buffer: Buffer, start: number, end: number): U64 | undefined {
  const number = findLoose(buffer, start, end);
  if (number === 0) {
    return undefined;
  }
  const digits = Math.abs(number) - 1;
  const magnitude = digitsToU64(buffer, digits, digitsEnd(buffer, digits, end));
  if (number > 0 || magnitude === undefined || magnitude === 0) {
    return magnitude;
  }
  // strtoull wraps negative numbers around. Memcached looks for the sign only when the result has its top bit
  // set, so it refuses -1 but takes -18446744073709551615 for 1.
  const wrapped = U64_MAX + 1n - BigInt(magnitude);
  return wrapped >= I64_LIMIT ? undefined : canonical(wrapped);
}

/**
 * Finds the digits of a loose number: their offset + 1, negated after a minus sign, or 0 when there is no number
 * or something other than a blank follows it.
 */
function findLoose(buffer: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end && isBlank(buffer[i] ?? 0)) {
    i++;
  }
  const negative = i < end && buffer[i] === MINUS;
  if (negative || (i < end && buffer[i] === PLUS)) {
    i++;
  }
  const after = digitsEnd(buffer, i, end);
  if (after === i) {
    return 0;
  }
  if (after < end) {
    const next = buffer[after] ?? 0;
    // A NUL byte ends a C string.
    if (next !== 0 && !isBlank(next)) {
      return 0;
    }
  }
  return negative ? -(i + 1) : i + 1;
}

function digitsEnd(buffer: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end) {
    const digit = (buffer[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) {
      break;
    }
    i++;
  }
  return i;
}

/** REQUIRES: the range holds digits alone. */
function digitsToU64(buffer: Buffer, start: number, end: number): U64 | undefined {
  let value = 0;
  let i = start;
  for (; i < end && value <= EXACT_BEFORE_DIGIT; i++) {
    value = value * 10 + ((buffer[i] ?? 0) - ZERO);
  }
  if (i === end) {
    return value;
  }
  let big = BigInt(value);
  for (; i < end; i++) {
    big = big * 10n + BigInt((buffer[i] ?? 0) - ZERO);
    if (big > U64_MAX) {
      return undefined;
    }
  }
  return canonical(big);
}

function canonical(value: bigint): U64 {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The blanks of C's isspace: space, tab, LF, VT, FF, CR. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
