const LEAST_BYTES = 16 * 1024 ** 2;
/** Of the memory for caching. */
const SHARE = 0.25;
/** So many of the largest items may be on their way at once. */
const ITEMS = 4;
/** As few as the limit must have room for: one on its way leaves half the limit to others. */
const ITEMS_LEAST = 2;

/** Bytes for connections where nothing was said: beside `memory` MB for caching and items of up to so many bytes. */
export function connectionMemoryFor(memory: number, maxItemSize: number): number {
  return Math.max(LEAST_BYTES, memory * 1024 ** 2 * SHARE, maxItemSize * ITEMS);
}

/** The least that lets an item of the largest size come and go. */
export function leastConnectionMemory(maxItemSize: number): number {
  return maxItemSize * ITEMS_LEAST;
}
