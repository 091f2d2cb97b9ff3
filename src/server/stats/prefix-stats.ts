import type { SeenPrefix } from '../../cache/prefix-stats.ts';
import type { QuotaCounts } from '../../cache/quota-counts.ts';
import { encodeUriText } from '../../protocol/uri-key.ts';
import type { Quota } from '../../upkeep/quotas.ts';
import { inTurns, type Stat, statLines } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** Prefixes shown of those that were seen by the delimiter, the most used first: a server can have seen very many. */
const SEEN_SHOWN = 1000;

/** Prefixes whose lines are made in one go. */
const PREFIXES_AT_ONCE = 200;

/**
 * The whole reply to `stats prefixes`: of each prefix with a quota, and, where keys may be dumped, of those that `stats
 * detail` counts. Prefixes are written as keys are in dumps, so that a name has exactly two colons.
 */
export async function prefixStats(sources: StatsSources): Promise<string> {
  return `${await inTurns(linesOf(sources))}END\r\n`;
}

function* linesOf({ cache, quotas, config }: StatsSources): Generator<string, void, undefined> {
  const { prefixes } = cache;
  yield* inParts(quotas, (quota) => quotaStats(quota, prefixes.quotas?.of(quota.counted)));
  if (!config.dumping) return;
  const { shown, total } = yield* prefixes.seen(SEEN_SHOWN);
  yield statLines([['prefixes_seen', total], ['prefixes_shown', shown.length]]);
  yield* inParts(shown, seenStats);
}

function* inParts<T>(all: readonly T[], statsOf: (each: T) => readonly Stat[]): Generator<string, void, undefined> {
  for (let i = 0; i < all.length; i += PREFIXES_AT_ONCE) yield statLines(all.slice(i, i + PREFIXES_AT_ONCE).flatMap(statsOf));
}

function quotaStats({ counted, limit }: Quota, counts: Readonly<QuotaCounts> | undefined): Stat[] {
  const name = `quota:${encodeUriText(counted.prefix)}`;
  return [
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
  ];
}

function seenStats({ prefix, gets, hits, sets, evictions }: SeenPrefix): Stat[] {
  const name = `prefix:${encodeUriText(prefix)}`;
  return [[`${name}:gets`, gets], [`${name}:hits`, hits], [`${name}:sets`, sets], [`${name}:evictions`, evictions]];
}
