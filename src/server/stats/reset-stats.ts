import { newCounters } from '../../cache/counters.ts';
import type { CommitStats } from '../../store/store.ts';
import type { StatsSources } from './stats-sources.ts';

/** `stats reset`: counters of what happened begin anew; what there is stays counted. */
export function resetStats(sources: StatsSources): void {
  const { cache, traffic, connections, store, auth, datagrams } = sources;
  Object.assign(cache.counters, newCounters());
  cache.prefixes.clear();
  traffic.bytesRead = 0;
  traffic.bytesWritten = 0;
  traffic.yields = 0;
  sources.watch.resetCounts();
  sources.loop.reset();
  sources.connectionMemory.resetCounts();
  connections.total = 0;
  connections.rejected = 0;
  connections.idleKicks = 0;
  auth.commands = 0;
  auth.errors = 0;
  if (datagrams !== undefined) Object.assign(datagrams, { dropped: 0, withheld: 0 });
  const zero: CommitStats = { batches: 0, mutations: 0, levelBytes: 0, valueBytes: 0, syncs: 0, failures: 0, damaged: 0 };
  Object.assign(store.commits, zero);
  if (store.ephemeral !== undefined) Object.assign(store.ephemeral.counts, { stored: 0, overflows: 0 });
  cache.residency.reads.rows = 0;
  cache.residency.reads.values = 0;
  cache.residency.reads.lookups = 0;
}
