import { numberOf } from './number-of.ts';
import { type QuotaFigures, quotaFigures } from './quota-figures.ts';
import type { BigValue, HotKey, Sample } from './sample.ts';

/** What `top` shows: how the server stands, and what it did per second between two samples. */
export interface Figures {
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Time between the two samples. */
  readonly intervalSeconds: number;
  readonly opsPerSecond: number;
  readonly getsPerSecond: number;
  readonly setsPerSecond: number;
  readonly touchesPerSecond: number;
  readonly deletesPerSecond: number;
  readonly arithmeticPerSecond: number;
  /** From 0 to 1 in the interval; null = nothing was asked for. */
  readonly hitRate: number | null;
  /** The same since the server's start. */
  readonly hitRateTotal: number | null;
  readonly probeMs: number;
  readonly loopDelayMs: number;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly bytesReadPerSecond: number;
  readonly bytesWrittenPerSecond: number;
  readonly items: number;
  readonly ramUsedBytes: number;
  readonly ramLimitBytes: number;
  readonly ramItems: number;
  /** Share of retrievals that needed no disk, from 0 to 1, since the server's start. */
  readonly ramHitRate: number;
  readonly diskBytes: number;
  /** Keys and values of all items. */
  readonly liveBytes: number;
  /** Values on disk that nothing refers to any more. */
  readonly deadBytes: number;
  readonly rowsReadPerSecond: number;
  readonly batchesPerSecond: number;
  readonly mutationsPerSecond: number;
  readonly pendingBytes: number;
  readonly isWritable: boolean;
  readonly indexEntries: number;
  /** Seconds for which the longest expired item has waited to be deleted; null = not allowed to ask. */
  readonly overdueSeconds: number | null;
  readonly prefixDeletes: number;
  /** The fullest ones, those first; none without quotas. */
  readonly quotas: readonly QuotaFigures[];
  /** Null = not allowed to ask. */
  readonly hotKeys: readonly HotKey[] | null;
  readonly bigValues: readonly BigValue[] | null;
}

/** Compares two samples of one server. Counters that went back, because someone reset them, count as still. */
export function figuresOf(before: Sample, after: Sample): Figures {
  const intervalSeconds = Math.max((after.atMs - before.atMs) / 1000, 0.001);
  const stat = (name: string): number => numberOf(after.stats, name);
  const storage = (name: string): number => numberOf(after.storage, name);
  const grown = (name: string): number => Math.max(0, stat(name) - numberOf(before.stats, name));
  const rate = (...names: string[]): number => names.reduce((sum, name) => sum + grown(name), 0) / intervalSeconds;
  const storageRate = (name: string): number => Math.max(0, storage(name) - numberOf(before.storage, name)) / intervalSeconds;
  const rates = {
    getsPerSecond: rate('cmd_get'),
    setsPerSecond: rate('cmd_set'),
    touchesPerSecond: rate('cmd_touch'),
    deletesPerSecond: rate('delete_hits', 'delete_misses'),
    arithmeticPerSecond: rate('incr_hits', 'incr_misses', 'decr_hits', 'decr_misses'),
  };
  const { index, hot } = after;
  return {
    version: after.stats.get('version') ?? '',
    uptimeSeconds: stat('uptime'),
    intervalSeconds,
    opsPerSecond: Object.values(rates).reduce((sum, each) => sum + each, 0),
    ...rates,
    hitRate: share(grown('get_hits'), grown('get_misses')),
    hitRateTotal: share(stat('get_hits'), stat('get_misses')),
    probeMs: after.probeMs,
    loopDelayMs: storage('loop_delay_ms'),
    connections: stat('curr_connections'),
    connectionsMax: stat('max_connections'),
    bytesReadPerSecond: rate('bytes_read'),
    bytesWrittenPerSecond: rate('bytes_written'),
    items: stat('curr_items'),
    ramUsedBytes: storage('ram_used_bytes'),
    ramLimitBytes: storage('ram_limit_bytes'),
    ramItems: storage('ram_items'),
    ramHitRate: storage('ram_hit_rate'),
    diskBytes: storage('disk_bytes'),
    liveBytes: storage('live_bytes'),
    deadBytes: storage('value_dead_bytes'),
    rowsReadPerSecond: storageRate('rows_read'),
    batchesPerSecond: storageRate('batches'),
    mutationsPerSecond: storageRate('mutations'),
    pendingBytes: storage('pending_bytes'),
    isWritable: storage('writable') === 1,
    indexEntries: storage('index_entries'),
    overdueSeconds: index === undefined ? null : index.oldestDeadline === 0 ? 0 : Math.max(0, index.now - index.oldestDeadline),
    prefixDeletes: storage('prefix_delete_jobs'),
    quotas: quotaFigures(before.prefixes, after.prefixes, intervalSeconds),
    hotKeys: hot?.keys ?? null,
    bigValues: hot?.big ?? null,
  };
}

function share(hits: number, misses: number): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}
