import { expect, it } from 'vitest';
import { type DaysSample, simulateDays } from '../bench/expiry/simulated-time.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const SEGMENT_BYTES = 16 * 1024;
const plan = { days: 90, timeToLiveDays: 30, itemsPerDay: 48, valueBytes: 1000, sweepEveryHours: 2 };

it('items that live for 30 days never take the disk of more than 31 days of writes', async () => {
  const open = await OpenCache.open(tempDirectory(), 2 ** 20, undefined, SEGMENT_BYTES);
  const samples: DaysSample[] = [];
  for await (const sample of simulateDays(open, plan)) samples.push(sample);
  const perDay = samples.find(({ day }) => day === plan.timeToLiveDays)!.valueBytes / plan.timeToLiveDays;
  // LevelDB's files are left out: under so few items they are its log, which is as large in any store.
  expect(Math.max(...samples.map(({ valueBytes }) => valueBytes / perDay))).toBeLessThanOrEqual(31);
  expect(Math.max(...samples.map(({ items }) => items / plan.itemsPerDay))).toBeLessThanOrEqual(30.5);
  expect(Math.max(...samples.map(({ indexEntries }) => indexEntries / plan.itemsPerDay))).toBeLessThanOrEqual(30.5);
  // It was full all the time after that, or the bounds would say nothing.
  expect(Math.min(...samples.filter(({ day }) => day >= plan.timeToLiveDays).map(({ items }) => items / plan.itemsPerDay))).toBeGreaterThanOrEqual(29.5);
  await open.close();
  expect((await checkStore(open.directory)).items.size).toBe(samples.at(-1)!.items);
}, 60_000);
