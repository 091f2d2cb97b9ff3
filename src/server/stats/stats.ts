import { connectionStats } from './connection-stats.ts';
import { detailStats } from './detail-stats.ts';
import { expireStats } from './expire-stats.ts';
import { generalStats } from './general-stats.ts';
import { cachedump, itemStats, sizeStats, slabStats } from './item-stats.ts';
import { loadStats } from './load-stats.ts';
import { prefixStats } from './prefix-stats.ts';
import { resetStats } from './reset-stats.ts';
import { settingsStats } from './settings-stats.ts';
import { listing } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';
import { storageStats } from './storage-stats.ts';

/**
 * The groups of the stats command (protocol.txt, "General-purpose statistics"; docs/operations.md has
 * every name and its meaning).
 */
export class Stats {
  readonly #sources: StatsSources;

  constructor(sources: StatsSources) {
    this.#sources = sources;
  }

  /** The whole reply to `stats WORD…`. */
  async answer(words: readonly string[]): Promise<string> {
    const sources = this.#sources;
    const [group] = words;
    switch (group) {
      case undefined:
        return listing(generalStats(sources));
      case 'settings':
        return listing(settingsStats(sources));
      case 'items':
        return listing(itemStats(sources));
      case 'slabs':
        return listing(slabStats(sources));
      case 'sizes':
        return listing(await sizeStats(sources));
      case 'conns':
        return await connectionStats(sources);
      case 'storage':
        return listing(await storageStats(sources));
      case 'load':
        return listing(loadStats(sources));
      case 'expire':
        return listing(expireStats(sources));
      case 'cachedump':
        return await cachedump(words, sources);
      case 'prefixes':
        return await prefixStats(sources);
      case 'detail':
        return await detailStats(words, sources);
      case 'reset':
        resetStats(sources);
        return 'RESET\r\n';
      case 'extstore':
      case 'proxy':
      case 'proxyfuncs':
      case 'proxybe':
        return listing([]);
      default:
        return 'ERROR\r\n';
    }
  }
}
