import { expect, it } from 'vitest';
import { losePower } from './power-loss.ts';
import { powerLossWays } from './power-loss-ways.ts';

/** Print-worthy: a failing run is repeated with the same seed. */
const SEED = Number(process.env['TUGELA_POWER_SEED'] ?? 20_261_121);
/**
 * States to try for each way to lose data. With "every" LevelDB's log is cut off, and filled with zeros, at every byte of
 * the tail that the last SHORT writes are: some 23,000 states, which take five minutes.
 */
const GIVEN = process.env['TUGELA_POWER_POINTS'];
const IS_EVERY = GIVEN === 'every';
const POINTS = IS_EVERY ? Number.POSITIVE_INFINITY : Number(GIVEN ?? 60);
const TIME_MS = GIVEN === undefined ? 60_000 : 3_600_000;
/** Writes behind the last sync, with "every". */
const SHORT = 6;
/** States for each way to lose data where it takes more writes than that. */
const MANY = 1000;

it.each(powerLossWays.map(({ name, spec }) => [name, spec] as const))(`a store loses no more than it may when power is lost: %s (seed ${SEED})`, async (name, spec) => {
  const isLong = spec.writeBufferBytes !== undefined;
  const after = IS_EVERY && !isLong ? Math.min(spec.after, SHORT) : spec.after;
  const report = await losePower({ seed: SEED, spec: { ...spec, after }, points: IS_EVERY && isLong ? MANY : POINTS });
  // What is tried must be worth it: something was lost.
  expect(report.earlier).toBeGreaterThan(0);
  if (spec.last !== undefined) expect([...report.made.keys()]).toEqual([spec.last]);
  if (after >= 60) expect([...report.made.keys()].toSorted()).toEqual(['evict', 'flush', 'job', 'put', 'reclaim', 'remove', 'rewrite', 'touch']);
  if (!spec.syncsEach && spec.before > 0) expect(report.removed.filter((file) => file.endsWith('.values'))).not.toEqual([]);
  console.info(`${name}: ${JSON.stringify({ ...report, made: Object.fromEntries(report.made) })}`);
}, TIME_MS);
