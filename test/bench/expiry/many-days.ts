import { join } from 'node:path';
import { OpenCache } from '../../support/open-cache.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { formatTable } from '../table.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';
import { type DaysSample, simulateDays } from './simulated-time.ts';

const MB = 1e6;
const KIB = 1024;
const RAM_BYTES = 16 * 2 ** 20;
/** Simulated days between two lines of the table. */
const SHOWN_DAYS = 10;

/** "A 30-day-TTL workload simulated with a moved clock: disk never holds more than 31 days of writes." */
export const manyDays: Part = {
  name: 'many-days',
  title: 'What is on disk of items that live for many days, in simulated time',
  options: {
    days: { preset: '60', about: 'simulated days' },
    ttl: { preset: '30', about: 'days that an item lives' },
    'per-day': { preset: '100000', about: 'items stored on a day, all new; what LevelDB holds twice while it compacts should be little beside them' },
    value: { preset: '1000', about: 'bytes of a value' },
    segment: { preset: '1024', about: 'KiB of a value segment; 64 MiB in a server, whose days are larger' },
    held: { preset: '31', about: 'days of writes that the disk may hold' },
  },
  run,
};

async function run({ given, directory, log }: PartContext): Promise<PartResult> {
  const [days, timeToLiveDays] = [numberOf(given, 'days'), numberOf(given, 'ttl')];
  const open = await OpenCache.open(join(directory, 'store'), RAM_BYTES, new ManualClock(), numberOf(given, 'segment') * KIB);
  const plan = { days, timeToLiveDays, itemsPerDay: numberOf(given, 'per-day'), valueBytes: numberOf(given, 'value'), sweepEveryHours: 1 };
  const shown: DaysSample[] = [];
  // A day of writes is what it takes on disk while nothing has expired yet.
  let perDay = Number.NaN;
  let valuesPerDay = Number.NaN;
  let most = 0;
  let mostValues = 0;
  try {
    for await (const sample of simulateDays(open, plan)) {
      if (sample.day === timeToLiveDays) {
        perDay = diskOf(sample) / sample.day;
        valuesPerDay = sample.valueBytes / sample.day;
      }
      most = Math.max(most, diskOf(sample));
      mostValues = Math.max(mostValues, sample.valueBytes);
      if (sample.day % SHOWN_DAYS !== 0) continue;
      shown.push(sample);
      log(`day ${sample.day}: ${(diskOf(sample) / MB).toFixed(0)} MB on disk`);
    }
  } finally {
    await open.close();
  }
  const rows = shown.map((sample) => [
    String(sample.day),
    String(sample.items),
    String(sample.indexEntries),
    (sample.valueBytes / MB).toFixed(1),
    (sample.levelBytes / MB).toFixed(1),
    (diskOf(sample) / perDay).toFixed(2),
  ]);
  const bound = numberOf(given, 'held');
  return {
    tables: [`A day of writes takes ${(perDay / MB).toFixed(2)} MB, measured over the first ${timeToLiveDays} days.`, formatTable(['day', 'items', 'index entries', 'values MB', 'LevelDB MB', 'days on disk'], rows)],
    bounds: [
      { what: 'days of writes on disk', measured: most / perDay, most: bound },
      { what: 'days of values in the value log', measured: mostValues / valuesPerDay, most: bound },
    ],
  };
}

function diskOf({ valueBytes, levelBytes }: DaysSample): number {
  return valueBytes + levelBytes;
}
