import { decodeUriKey } from '../protocol/uri-key.ts';
import { numberOf } from './number-of.ts';

/** Quotas shown: a server may have thousands, and only of those that are full something is to be seen. */
const SHOWN = 10;

/** How full a prefix with a quota is. */
export interface QuotaFigures {
  readonly prefix: Buffer;
  /** Keys and values under it. */
  readonly usedBytes: number;
  readonly limitBytes: number;
  /** Items evicted since the server's start, or the last `stats reset`. */
  readonly evictions: number;
  readonly evictionsPerSecond: number;
}

/** The fullest quotas, those first, from two replies to `stats prefixes`. */
export function quotaFigures(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, seconds: number): QuotaFigures[] {
  const all: QuotaFigures[] = [];
  for (const name of after.keys()) {
    const [, encoded] = /^quota:([^:]+):limit$/.exec(name) ?? [];
    const prefix = encoded === undefined ? undefined : decodeUriKey(encoded);
    if (prefix === undefined) continue;
    const evictions = numberOf(after, `quota:${encoded}:evictions`);
    all.push({
      prefix,
      usedBytes: numberOf(after, `quota:${encoded}:bytes`),
      limitBytes: numberOf(after, name),
      evictions,
      evictionsPerSecond: Math.max(0, evictions - numberOf(before, `quota:${encoded}:evictions`)) / seconds,
    });
  }
  return all.toSorted((a, b) => b.usedBytes / b.limitBytes - a.usedBytes / a.limitBytes).slice(0, SHOWN);
}
