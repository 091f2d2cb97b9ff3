import { Cache } from '../../src/cache/cache.ts';
import { Hit, type KeyRange, NEEDS_LOAD, type NeedsLoad } from '../../src/cache/hit.ts';
import { Residency } from '../../src/cache/residency.ts';
import { AccessTable } from '../../src/ram/access-table.ts';
import { RamTier } from '../../src/ram/ram-tier.ts';
import { Store } from '../../src/store/store.ts';
import { LocalTarget } from '../../src/upkeep/local-target.ts';
import { ManualClock } from './manual-clock.ts';

const MAX_ITEM_SIZE = 1024 * 1024;

/** Which items stay in memory alone. */
export interface OpenEphemeral {
  readonly seconds: number;
  readonly limitBytes: number;
}

/** A cache on a real store, opened and closed by hand. */
export class OpenCache {
  readonly directory: string;
  readonly clock: ManualClock;
  readonly #ramBytes: number;
  readonly #segmentBytes: number | undefined;
  /** Prefixes that are counted from the next opening on; undefined = those that are already. */
  countedPrefixes: readonly string[] | undefined;
  readonly #ephemeral: OpenEphemeral | undefined;
  store!: Store;
  residency!: Residency;
  cache!: Cache;
  /** What sweeps work on: one for all, as in a server. */
  target!: LocalTarget;

  private constructor(directory: string, ramBytes: number, clock: ManualClock, segmentBytes: number | undefined, ephemeral: OpenEphemeral | undefined) {
    this.directory = directory;
    this.#ramBytes = ramBytes;
    this.#segmentBytes = segmentBytes;
    this.#ephemeral = ephemeral;
    this.clock = clock;
  }

  static async open(
    directory: string,
    ramBytes = 4 * 2 ** 20,
    clock: ManualClock = new ManualClock(),
    segmentBytes?: number,
    ephemeral?: OpenEphemeral,
  ): Promise<OpenCache> {
    const open = new OpenCache(directory, ramBytes, clock, segmentBytes, ephemeral);
    await open.#open();
    return open;
  }

  async reopen(): Promise<void> {
    await this.store.close();
    await this.#open();
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  /** Runs a step of the cache, loading the key as often as the step asks for it. The step runs in one go. */
  run<T>(key: string, value: boolean, step: () => T | NeedsLoad): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (): void => {
        try {
          const result = step();
          if (result !== NEEDS_LOAD) resolve(result);
          else this.residency.load([{ key, value }], (error) => (error === undefined ? attempt() : reject(error)));
        } catch (error) {
          reject(error);
        }
      };
      attempt();
    });
  }

  /** The value of a key, or undefined. */
  get(key: string): Promise<Buffer | undefined> {
    const hit = new Hit();
    return this.run(key, true, () => {
      const found = this.cache.fetch(keyRange(key), undefined, hit);
      if (found === NEEDS_LOAD) return found;
      return found ? Buffer.from(hit.bytes.subarray(hit.start, hit.start + hit.length)) : undefined;
    });
  }

  set(key: string, value: Buffer, exptime = 0, flags = 0): Promise<string> {
    return this.run(key, false, () => this.cache.store(4, keyRange(key), flags, exptime, 0, value));
  }

  touch(key: string, exptime: number): Promise<string> {
    return this.run(key, false, () => this.cache.touch(keyRange(key), exptime));
  }

  delete(key: string): Promise<string> {
    return this.run(key, false, () => this.cache.delete(keyRange(key)));
  }

  async #open(): Promise<void> {
    let residency: Residency | undefined;
    this.store = await Store.open(this.directory, {
      blockCacheBytes: 2 ** 20,
      syncEveryBatch: false,
      segmentBytes: this.#segmentBytes,
      countedPrefixes: this.countedPrefixes,
      ephemeral: this.#ephemeral === undefined ? undefined : { ...this.#ephemeral, clock: this.clock },
      onFailed: (keys) => residency?.forget(keys),
    });
    residency = new Residency(this.store, new RamTier(this.#ramBytes, new AccessTable(4096)));
    this.residency = residency;
    this.cache = new Cache(this.store, residency, this.clock, MAX_ITEM_SIZE);
    this.target = new LocalTarget(this.cache, this.store);
  }
}

export function keyRange(key: string): KeyRange {
  const buffer = Buffer.from(key, 'latin1');
  return { buffer, start: 0, end: buffer.length };
}
