import { join } from 'node:path';
import { OpenCache } from '../../support/open-cache.ts';
import { formatTable } from '../table.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';
import { touchSession } from './simulated-time.ts';

/** No bucket is narrower than a 256th of the time to live, and the one under way is listed too. */
const MOST_ENTRIES = 257;

/** "A session touched 1000 times a second for its whole life costs a bounded number of index rows." */
export const touches: Part = {
  name: 'touches',
  title: 'What a session costs that is touched all the time, in simulated time',
  options: {
    ttl: { preset: '60,600,1800,7200', about: 'seconds that each touch gives' },
    'per-second': { preset: '1000', about: 'touches in a second' },
    lives: { preset: '2', about: 'how long it is touched, in times its seconds to live' },
  },
  run,
};

async function run({ given, directory, log }: PartContext): Promise<PartResult> {
  const rows: string[][] = [];
  let most = 0;
  let left = 0;
  for (const timeToLive of given['ttl'] ?? []) {
    const open = await OpenCache.open(join(directory, String(timeToLive)));
    const [touchesPerSecond, seconds] = [numberOf(given, 'per-second'), timeToLive * numberOf(given, 'lives')];
    try {
      const cost = await touchSession(open, { timeToLive, seconds, touchesPerSecond });
      most = Math.max(most, cost.mostEntries);
      left += cost.entriesLeft + cost.itemsLeft;
      rows.push([`${timeToLive} s`, String(seconds * touchesPerSecond), String(cost.mostEntries), cost.commitsPerTouch.toFixed(4), String(cost.entriesLeft)]);
      log(`${timeToLive} s: ${cost.mostEntries} entries at most`);
    } finally {
      await open.close();
    }
  }
  return {
    tables: [formatTable(['time to live', 'touches', 'index entries at most', 'changes per touch', 'entries left'], rows)],
    bounds: [
      { what: 'index entries of one session', measured: most, most: MOST_ENTRIES },
      { what: 'entries and items left when it was over', measured: left, most: 0 },
    ],
  };
}
