import type { Logger } from 'pino';
import { Cache } from '../cache/cache.ts';
import { Residency } from '../cache/residency.ts';
import type { Clock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import { TugelaError } from '../errors.ts';
import { AccessTable } from '../ram/access-table.ts';
import { RamTier } from '../ram/ram-tier.ts';
import type { SlicedQueue } from '../sliced-queue.ts';
import { Store, type StoreOptions } from '../store/store.ts';
import type { DiskBudget } from '../upkeep/disk-budget.ts';
import type { MemoryLimit } from './memory-limit.ts';

/** Mends a store that does not open because it is damaged. */
export type Mend = (directory: string, damage: TugelaError) => Promise<void>;

export interface OpenCacheDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly memory: MemoryLimit;
  /** Undefined = no limit on disk. */
  readonly budget: DiskBudget | undefined;
  /** Where those stand who wait for large values. */
  readonly line: SlicedQueue;
  /** Without it, damage is an error. */
  readonly mend: Mend | undefined;
}

/**
 * Opens the store, and the cache on top of it.
 *
 * @throws TugelaError, those of Store.open
 */
export async function openCache(config: ServeConfig, deps: OpenCacheDeps): Promise<{ readonly store: Store; readonly cache: Cache }> {
  const { logger, clock, memory, budget, line } = deps;
  let residency: Residency | undefined;
  const options: StoreOptions = {
    blockCacheBytes: memory.blockCacheBytes,
    ephemeral: config.ephemeralTtl === 0 ? undefined : { seconds: config.ephemeralTtl, limitBytes: memory.ephemeralBytes, clock },
    segmentBytes: budget?.segmentBytes,
    writeBufferBytes: Math.min(memory.writeBufferBytes, budget?.writeBufferBytes ?? Number.POSITIVE_INFINITY),
    tableBytes: budget?.tableBytes,
    countedPrefixes: config.quotas.map(({ prefix }) => prefix),
    syncEveryBatch: config.ack === 'sync',
    holdsFiles: true,
    onFailed: (keys) => residency?.forget(keys),
    onDamaged: (where) => logger.warn({ where }, 'damaged on disk: answered as a miss'),
    onLogCut: (cut) => logger.warn(cut, "the end of LevelDB's log is left out: a crash or a power failure cut it off"),
  };
  const store = await openOrMend(config.file, options, deps.mend);
  residency = new Residency(store, new RamTier(memory.ramTierBytes(memory.megabytes), new AccessTable(memory.accessBytes)), line);
  const cache = new Cache(store, residency, clock, config.maxItemSize, {
    cas: config.cas,
    prefixDelimiter: config.prefixDelimiter,
    detail: config.detail,
  });
  return { store, cache };
}

async function openOrMend(directory: string, options: StoreOptions, mend: Mend | undefined): Promise<Store> {
  try {
    return await Store.open(directory, options);
  } catch (error) {
    if (mend === undefined || !(error instanceof TugelaError) || error.code !== 'TUGELA_STORE_CORRUPT') throw error;
    await mend(directory, error);
    return await Store.open(directory, options);
  }
}
