import { randomBytes } from 'node:crypto';

/** Places for entries, of 8 bytes each; a power of two. */
const PLACES: number = 2 ** 16;
/** No entry has this for its second half. */
const FREE = 0;

/**
 * Remembers which keys the TTL index lists although no item belongs there now, because the item was deleted or got another time to
 * live. When the key comes back to such a bucket it needs no second entry. Without this a key that is stored and deleted, or whose
 * time to live changes back and forth, would leave an entry each time, and each would stay until its deadline.
 *
 * In memory alone and bounded: each entry has one place, where the next one that hashes to it takes over, and what is forgotten costs
 * one entry more. It must never remember an entry that is gone, or an item would be listed nowhere; so it knows nothing of buckets
 * that a sweep has come to. Of key and bucket it keeps 64 bits of a hash that nobody outside can know: with sets of strings, each of
 * which is somewhere else in the heap, a time to live cost a set 1.18 times as much instead of 1.04 (docs/expiry.md, "Sets with a time to
 * live").
 */
export class ListedKeys {
  readonly #firstSeed = randomBytes(4).readInt32LE();
  readonly #secondSeed = randomBytes(4).readInt32LE();
  /** By the low bits of the hash's first half, both halves. */
  readonly #entries = new Uint32Array(PLACES * 2);
  /** The halves of the last hash. */
  #first = 0;
  #second = 0;
  /** Sweeps have come to this deadline. */
  #swept = 0;

  /** An item left this bucket, in which its key stays listed. */
  leave(deadline: number, shift: number, key: string): void {
    if (deadline <= this.#swept) return;
    const at = this.#placeOf(deadline, shift, key);
    this.#entries[at] = this.#first;
    this.#entries[at + 1] = this.#second;
  }

  /** True when the key is listed in this bucket; then it belongs there again and is not remembered any more. */
  takeBack(deadline: number, shift: number, key: string): boolean {
    if (deadline <= this.#swept) return false;
    const at = this.#placeOf(deadline, shift, key);
    if (this.#entries[at] !== this.#first || this.#entries[at + 1] !== this.#second) return false;
    this.#entries[at + 1] = FREE;
    return true;
  }

  /** Rows up to this deadline are about to be looked at, and dropped. */
  sweep(deadline: number): void {
    this.#swept = Math.max(this.#swept, deadline);
  }

  /** What was staged may not have been written. */
  clear(): void {
    this.#entries.fill(FREE);
  }

  /** Hashes key and bucket; returns where that is remembered. */
  #placeOf(deadline: number, shift: number, key: string): number {
    let first = this.#firstSeed ^ Math.imul(deadline, 0x9e3779b1);
    let second = this.#secondSeed + Math.imul(deadline ^ (shift << 27), 0x85ebca6b);
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      first = Math.imul(first ^ code, 0xcc9e2d51);
      first ^= first >>> 15;
      second = Math.imul(second + code, 0x1b873593);
      second ^= second >>> 17;
    }
    first = Math.imul(first ^ shift ^ (second >>> 13), 0xc2b2ae35);
    second = Math.imul(second ^ (first >>> 16), 0x27d4eb2f);
    first ^= first >>> 16;
    this.#first = first >>> 0;
    this.#second = (second ^ (second >>> 15)) >>> 0 || 1;
    return (first & (PLACES - 1)) * 2;
  }
}
