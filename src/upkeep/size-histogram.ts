import type { Cache } from '../cache/cache.ts';
import type { Store } from '../store/store.ts';
import { liveItems } from './item-listing.ts';

/** Bytes that one step of the histogram spans, as in memcached. */
const STEP_BYTES = 32;

/** Items of up to `size` bytes, and of more than the step below. */
export interface SizeCount {
  readonly size: number;
  readonly count: number;
}

/**
 * How many live items there are of each size, key and memcached's overhead included: `stats sizes`. Counted
 * by reading through the store when somebody asks, so that it is exact and costs nothing until then.
 */
export class SizeHistogram {
  readonly #cache: Cache;
  readonly #store: Store;
  #running: Promise<readonly SizeCount[]> | undefined;
  #queued: Promise<readonly SizeCount[]> | undefined;

  constructor(cache: Cache, store: Store) {
    this.#cache = cache;
    this.#store = store;
  }

  /** Counts what is stored when asked, in order of size. Those who ask while a count is under way share the next one. */
  count(): Promise<readonly SizeCount[]> {
    if (this.#queued !== undefined) return this.#queued;
    if (this.#running === undefined) return this.#start();
    this.#queued = this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#queued;
  }

  #start(): Promise<readonly SizeCount[]> {
    this.#queued = undefined;
    const running = this.#count().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #count(): Promise<readonly SizeCount[]> {
    const counts = new Map<number, number>();
    for await (const page of liveItems(this.#cache, this.#store)) {
      for (const { key, item } of page) {
        const size = Math.ceil(this.#cache.sizeOf(key.length, item.flags, item.length) / STEP_BYTES) * STEP_BYTES;
        counts.set(size, (counts.get(size) ?? 0) + 1);
      }
    }
    return [...counts].map(([size, count]) => ({ size, count })).toSorted((a, b) => a.size - b.size);
  }
}
