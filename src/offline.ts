import { Cache } from './cache/cache.ts';
import { Residency } from './cache/residency.ts';
import { systemClock } from './clock.ts';
import { TugelaError } from './errors.ts';
import { RamTier } from './ram/ram-tier.ts';
import { Store } from './store/store.ts';
import { LocalTarget } from './upkeep/local-target.ts';
import type { SweepTarget } from './upkeep/sweep-target.ts';

/** Bytes of RAM for the tier and for LevelDB's cache: a sweep reads each item once. */
const RAM_BYTES = 4 * 2 ** 20;
const BLOCK_CACHE_BYTES = 16 * 2 ** 20;

/**
 * Opens the directory of a stopped server, to sweep it from this process.
 *
 * @throws TugelaError TUGELA_STORE_LOCKED when a server holds it: connect to the server instead
 */
export async function openOffline(directory: string): Promise<SweepTarget> {
  const store = await open(directory);
  const cache = new Cache(store, new Residency(store, new RamTier(RAM_BYTES)), systemClock, Number.POSITIVE_INFINITY);
  return new OfflineTarget(cache, store);
}

async function open(directory: string): Promise<Store> {
  try {
    return await Store.open(directory, {
      blockCacheBytes: BLOCK_CACHE_BYTES,
      syncEveryBatch: false,
      onFailed: () => {},
      mustExist: true,
    });
  } catch (error) {
    if (!(error instanceof TugelaError) || error.code !== 'TUGELA_STORE_LOCKED') throw error;
    const message = `${error.message}; connect to the server instead, with --host and --port or --socket`;
    throw new TugelaError(error.code, message, { cause: error });
  }
}

class OfflineTarget extends LocalTarget {
  readonly #opened: Store;

  constructor(cache: Cache, store: Store) {
    super(cache, store);
    this.#opened = store;
  }

  override async close(): Promise<void> {
    await this.#opened.close();
  }
}
