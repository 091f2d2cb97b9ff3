import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import { QuotaStats } from '../cache/quota-counts.ts';
import type { ServeConfig } from '../config.ts';
import { ReadSketch } from '../ram/read-sketch.ts';
import type { Store } from '../store/store.ts';
import type { DiskBudget } from '../upkeep/disk-budget.ts';
import { Evictor } from '../upkeep/evictor.ts';
import type { Evicted, GiveUpDeps } from '../upkeep/give-up.ts';
import { QuotaKeeper } from '../upkeep/quota-keeper.ts';
import { type Quota, Quotas } from '../upkeep/quotas.ts';
import { type Sweep, Upkeep } from '../upkeep/upkeep.ts';
import type { WatchHub } from './watch-hub.ts';

export interface WireUpkeepDeps {
  readonly cache: Cache;
  readonly store: Store;
  readonly logger: Logger;
  readonly sweep: Sweep;
  /** Told of evictions. */
  readonly watch: WatchHub;
  /** Undefined = no limit on disk. */
  readonly budget: DiskBudget | undefined;
}

/** Makes the background work, not started yet, and has the cache ask it for room where there are limits. */
export async function wireUpkeep(config: ServeConfig, deps: WireUpkeepDeps): Promise<{ readonly upkeep: Upkeep; readonly quotas: readonly Quota[] }> {
  const { cache, store, logger, sweep, watch, budget } = deps;
  const evicting = budget === undefined && config.quotas.length === 0 ? undefined : evictionDeps(cache, store, watch);
  const evictor = budget === undefined || evicting === undefined ? undefined : new Evictor({ ...evicting, budget });
  const quotas = config.quotas.length === 0 || evicting === undefined ? undefined : new QuotaKeeper({ ...evicting, quotas: new Quotas(store, config.quotas) }, logger);
  const upkeep = new Upkeep({
    cache,
    store,
    logger,
    syncEvery: config.sync,
    expireEvery: config.expireEvery,
    sweep,
    evictor,
    quotas,
    evicts: config.evictions,
  });
  if (quotas !== undefined) cache.hasQuota = (key, growth) => quotas.limits.hasRoom(key, growth);
  if (evictor !== undefined) {
    await evictor.measure(true);
    cache.hasRoom = (bytes) => upkeep.hasRoom(bytes);
    cache.holdForRoom = (bytes, done) => upkeep.holdForRoom(bytes, done);
  }
  return { upkeep, quotas: quotas?.limits.all ?? [] };
}

/** What evicts by whatever limit works on. From now on reads are counted. */
function evictionDeps(cache: Cache, store: Store, watch: WatchHub): GiveUpDeps & { readonly sketch: ReadSketch } {
  const sketch = new ReadSketch(store.state.items);
  cache.sketch = sketch;
  if (store.counted !== undefined) cache.prefixes.quotas = new QuotaStats(store.counted);
  const onEvicted = ({ key, item }: Evicted): void => {
    const bytes = Buffer.from(key, 'latin1');
    const last = cache.lastAccess(cache.residency.hash(bytes, 0, bytes.length), { buffer: bytes, start: 0, end: bytes.length });
    const now = cache.now();
    cache.prefixes.countEviction(key);
    watch.evicted(bytes, 0, bytes.length, last !== 0, item.expiresAt === 0 ? -1 : item.expiresAt - now, now - Math.max(last, item.storedAt), item.length);
  };
  return { cache, store, sketch, onEvicted };
}
