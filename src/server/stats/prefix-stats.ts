import { encodeUriText } from '../../protocol/uri-key.ts';
import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** Prefixes shown of those that were seen by the delimiter, the most used first: a server can have seen very many. */
const SEEN_SHOWN = 1000;

/**
 * `stats prefixes`: of each prefix with a quota, and, where keys may be dumped, of those that `stats detail` counts.
 * Prefixes are written as keys are in dumps, so that a name has exactly two colons.
 */
export function prefixStats({ cache, quotas, config }: StatsSources): Stat[] {
  const { prefixes } = cache;
  const lines: Stat[] = [];
  for (const { counted, limit } of quotas) {
    const name = `quota:${encodeUriText(counted.prefix)}`;
    const counts = prefixes.quotas?.of(counted);
    lines.push(
      [`${name}:limit`, limit],
      // While it is counted more may go than came.
      [`${name}:bytes`, Math.max(0, counted.bytes)],
      [`${name}:items`, Math.max(0, counted.items)],
      [`${name}:counted`, counted.isCounted ? 1 : 0],
      [`${name}:gets`, counts?.gets ?? 0],
      [`${name}:hits`, counts?.hits ?? 0],
      [`${name}:sets`, counts?.sets ?? 0],
      [`${name}:evictions`, counts?.evictions ?? 0],
      [`${name}:refused`, counts?.refused ?? 0],
    );
  }
  if (!config.dumping) return lines;
  const { shown, total } = prefixes.seen(SEEN_SHOWN);
  lines.push(['prefixes_seen', total], ['prefixes_shown', shown.length]);
  for (const { prefix, gets, hits, sets, evictions } of shown) {
    const name = `prefix:${encodeUriText(prefix)}`;
    lines.push([`${name}:gets`, gets], [`${name}:hits`, hits], [`${name}:sets`, sets], [`${name}:evictions`, evictions]);
  }
  return lines;
}
