import { inTurns } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** The whole reply to `stats detail on|off|dump`. */
export async function detailStats([, verb]: readonly string[], { config, cache }: StatsSources): Promise<string> {
  const { prefixes } = cache;
  if (!config.dumping) return 'CLIENT_ERROR stats detail not allowed\r\n';
  switch (verb) {
    case 'on':
    case 'off':
      prefixes.enabled = verb === 'on';
      return 'OK\r\n';
    case 'dump':
      return `${await inTurns(prefixes.dump())}END\r\n`;
    default:
      return 'CLIENT_ERROR usage: stats detail on|off|dump\r\n';
  }
}
