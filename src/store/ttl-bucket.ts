import type { Item } from '../item.ts';

/*
 * The TTL index sorts items into buckets of time instead of seconds, wider the longer an item has to
 * live, so that one index row lists many keys, and an item that is touched over and over mostly stays
 * in its bucket and costs no new row. Expiry itself is exact: reads compare expiresAt; the bucket only
 * decides when the sweep comes by. A bucket is swept when it is over.
 */

/**
 * Log2 of the seconds a bucket spans, for an item with so many seconds to live: 1 s below 16 s, at
 * most 4 s up to 17 minutes (so that the backlog stays under 5 s), then between 0.4 % and 0.8 % of
 * the time to live.
 */
export function ttlShift(ttl: number): number {
  if (ttl < 16) return 0;
  if (ttl < 32) return 1;
  if (ttl < 1024) return 2;
  // Log2 of ttl / 128, rounded down. That of Math is a call, three of them per set.
  return 31 - Math.clz32(ttl >>> 7);
}

/** Unix seconds at which the bucket that holds this expiry time is over. REQUIRES: a shift below 32 */
export function bucketDeadline(expiresAt: number, shift: number): number {
  // A power of doubles is a call, 0.5 % of the CPU of a set with a time to live.
  const width = (1 << shift) >>> 0;
  return Math.min(Math.ceil(expiresAt / width) * width, 0xffffffff);
}

/** True when both items are listed in the same bucket. */
export function sameBucket(old: Item | undefined, item: Item): boolean {
  return (
    old !== undefined &&
    old.expiresAt !== 0 &&
    old.ttlShift === item.ttlShift &&
    bucketDeadline(old.expiresAt, old.ttlShift) === bucketDeadline(item.expiresAt, item.ttlShift)
  );
}
