import { type Item, MIB } from "./layout.ts";

/** A bijection on 32-bit integers (the finalizer of MurmurHash3). */
function mix(n: number): number {
  n = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  n = Math.imul(n ^ (n >>> 13), 0xc2b2ae35);
  return (n ^ (n >>> 16)) >>> 0;
}

/** Random bytes and constant bytes in turns of 64, so that values shrink to about a half. */
const pool = Buffer.alloc(8 * MIB, 0x61);
for (let i = 0, state = 1; i < pool.length; i += 4) {
  if ((i & 64) === 0) pool.writeUInt32LE((state = mix(state + 0x9e3779b9)), i);
}

/** The key of item `id`. */
export function keyOf(id: number): Buffer {
  return Buffer.from(`k:${mix(id).toString(16).padStart(8, "0")}${mix(~id).toString(16).padStart(8, "0")}`, "latin1");
}

/** Every other item expires, in one of two buckets. */
export function itemOf(id: number, bytes: number, version: number): Item {
  const start = mix(id * 31 + version) % (pool.length - bytes);
  return { key: keyOf(id), value: pool.subarray(start, start + bytes), due: id % 2 === 0 ? 1000 + (id % 4) : 0 };
}

/** Gives integers under a limit. */
export type Random = (limit: number) => number;
/** A generator with a fixed seed. */
export function random(seed: number): Random {
  return (limit) => mix((seed = (seed + 0x9e3779b9) | 0)) % limit;
}
