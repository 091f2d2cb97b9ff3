/** Entries remembered at most, a few MB of memory. */
const MOST_ENTRIES = 32_768;

/**
 * Remembers which keys the TTL index lists although no item belongs there now, because the item was deleted or got another time to
 * live. When the key comes back to such a bucket it needs no second entry. Without this a key that is stored and deleted, or whose
 * time to live changes back and forth, would leave an entry each time, and each would stay until its deadline.
 *
 * In memory alone and bounded: what is forgotten costs one entry more. It must never remember an entry that is gone, or an item would
 * be listed nowhere; so it knows nothing of buckets that a sweep has come to.
 */
export class ListedKeys {
  /** By deadline * 32 + shift, the bucket that was left first in front. */
  readonly #keys = new Map<number, Set<string>>();
  #count = 0;
  /** Sweeps have come to this deadline. */
  #swept = 0;

  /** An item left this bucket, in which its key stays listed. */
  leave(deadline: number, shift: number, key: string): void {
    if (deadline <= this.#swept) return;
    const bucket = deadline * 32 + shift;
    let keys = this.#keys.get(bucket);
    if (keys === undefined) {
      keys = new Set();
      this.#keys.set(bucket, keys);
    }
    if (keys.has(key)) return;
    keys.add(key);
    if (++this.#count > MOST_ENTRIES) this.#forgetFirst();
  }

  /** True when the key is listed in this bucket; then it belongs there again and is not remembered any more. */
  takeBack(deadline: number, shift: number, key: string): boolean {
    if (!(this.#keys.get(deadline * 32 + shift)?.delete(key) ?? false)) return false;
    this.#count--;
    return true;
  }

  /** Rows up to this deadline are about to be looked at, and dropped. */
  sweep(deadline: number): void {
    if (deadline <= this.#swept) return;
    this.#swept = deadline;
    for (const [bucket, keys] of this.#keys) {
      if (Math.floor(bucket / 32) > deadline) continue;
      this.#count -= keys.size;
      this.#keys.delete(bucket);
    }
  }

  /** What was staged may not have been written. */
  clear(): void {
    this.#keys.clear();
    this.#count = 0;
  }

  #forgetFirst(): void {
    for (const [bucket, keys] of this.#keys) {
      this.#count -= keys.size;
      this.#keys.delete(bucket);
      return;
    }
  }
}
