import { HASH, NEXT, ROW_WORDS } from './row.ts';

/** Buckets per entry, once there are as many as the least: with one alone, a lookup read half a row more. */
const BUCKETS_PER_ENTRY = 2;
/** Buckets at the start. */
const LEAST_BUCKETS = 256;
/** Bytes of a slot's buckets. */
export const INDEX_BYTES_PER_SLOT: number = 4 * BUCKETS_PER_ENTRY;

/**
 * The slots by the hash of their keys. Linear hashing (Litwin, VLDB 1980) with chains through the rows: it grows with each entry, by
 * a bucket or two, so nothing is ever rehashed as a whole while clients wait; and what a few entries of a large tier need lies close
 * together, in the processor's caches.
 */
export class SlotIndex {
  /** The first slot of each bucket, plus 1. There from the start, but memory that is not touched is not taken. */
  readonly #heads: Uint32Array;
  readonly #rows: Uint32Array;
  /** Buckets in use: from `#half`, a power of two, up to twice that. Those below `#buckets - #half` have been split in two. */
  #buckets: number;
  #half: number;
  #entries = 0;

  /** For so many slots with these rows. */
  constructor(slots: number, rows: Uint32Array) {
    this.#heads = new Uint32Array(Math.max(1, BUCKETS_PER_ENTRY * slots));
    this.#rows = rows;
    this.#half = powerOfTwoUpTo(Math.min(LEAST_BUCKETS, this.#heads.length));
    this.#buckets = this.#half;
  }

  /** The first slot in the bucket of a hash, plus 1; 0 = there is none. The others follow by NEXT in their rows. */
  first(hash: number): number {
    return this.#heads[this.#bucketOf(hash)]!;
  }

  /** Adds a slot, whose row has its hash. */
  add(slot: number): void {
    this.#entries++;
    while (this.#buckets < this.#entries * BUCKETS_PER_ENTRY && this.#buckets < this.#heads.length) this.#split();
    this.#push(this.#bucketOf(this.#rows[slot * ROW_WORDS + HASH]!), slot);
  }

  /** Removes a slot that was added. */
  remove(slot: number): void {
    const rows = this.#rows;
    const next = rows[slot * ROW_WORDS + NEXT]!;
    const bucket = this.#bucketOf(rows[slot * ROW_WORDS + HASH]!);
    this.#entries--;
    let entry = this.#heads[bucket]!;
    if (entry === slot + 1) {
      this.#heads[bucket] = next;
      return;
    }
    for (;;) {
      const row = (entry - 1) * ROW_WORDS;
      entry = rows[row + NEXT]!;
      if (entry !== slot + 1) continue;
      rows[row + NEXT] = next;
      return;
    }
  }

  clear(): void {
    this.#heads.fill(0, 0, this.#buckets);
    this.#half = powerOfTwoUpTo(Math.min(LEAST_BUCKETS, this.#heads.length));
    this.#buckets = this.#half;
    this.#entries = 0;
  }

  #bucketOf(hash: number): number {
    const bucket = hash & (2 * this.#half - 1);
    return bucket < this.#buckets ? bucket : bucket & (this.#half - 1);
  }

  #push(bucket: number, slot: number): void {
    this.#rows[slot * ROW_WORDS + NEXT] = this.#heads[bucket]!;
    this.#heads[bucket] = slot + 1;
  }

  /** Makes one bucket more: those of another one's entries that belong there go there. */
  #split(): void {
    if (this.#buckets === 2 * this.#half) this.#half *= 2;
    const from = this.#buckets - this.#half;
    this.#buckets++;
    let entry = this.#heads[from]!;
    this.#heads[from] = 0;
    while (entry !== 0) {
      const slot = entry - 1;
      entry = this.#rows[slot * ROW_WORDS + NEXT]!;
      this.#push(this.#bucketOf(this.#rows[slot * ROW_WORDS + HASH]!), slot);
    }
  }
}

/** The highest power of two that is not above `n`, which is 1 at least. */
function powerOfTwoUpTo(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}
