import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** `stats expire`: what the store counts, and what the expiry daemon reported last. */
export function expireStats(sources: StatsSources): Stat[] {
  const reported = [...sources.expiry()];
  const { state } = sources.store;
  return [
    ['items_expired_total', state.expired],
    ['bytes_reclaimed_total', state.reclaimedBytes],
    ['index_entries_now', state.indexEntries],
    ...reported,
    ['report_age', reported.length === 0 ? -1 : sources.expiryAge()],
  ];
}
