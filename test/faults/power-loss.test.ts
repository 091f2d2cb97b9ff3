import { expect, it } from 'vitest';
import { losePower } from './power-loss.ts';

/** Print-worthy: a failing run is repeated with the same seed. */
const SEED = Number(process.env['TUGELA_POWER_SEED'] ?? 20_261_121);
/**
 * States to try for each way to lose data. With "every" LevelDB's log is cut off, and filled with zeros, at every byte of
 * the tail that the last SHORT writes are: some 20,000 states, which take five minutes.
 */
const GIVEN = process.env['TUGELA_POWER_POINTS'];
const IS_EVERY = GIVEN === 'every';
const POINTS = IS_EVERY ? Number.POSITIVE_INFINITY : Number(GIVEN ?? 60);
const TIME_MS = GIVEN === undefined ? 60_000 : 3_600_000;
/** Writes behind the last sync, with "every". */
const SHORT = 6;
/** States for each way to lose data where it takes more writes than that. */
const MANY = 1000;

it.each([
  ['--ack log, 60 writes after the last sync', { syncsEach: false, before: 40, after: 60, writeBufferBytes: undefined }],
  ['--ack log, in the first seconds of a store', { syncsEach: false, before: 0, after: 30, writeBufferBytes: undefined }],
  ['--ack log, when LevelDB has begun a new log', { syncsEach: false, before: 60, after: 160, writeBufferBytes: 64 * 1024 }],
  ['--ack sync, one write not answered yet', { syncsEach: true, before: 40, after: 1, writeBufferBytes: undefined }],
])(`a store loses no more than it may when power is lost: %s (seed ${SEED})`, async (name, spec) => {
  const isLong = spec.writeBufferBytes !== undefined;
  const after = IS_EVERY && !isLong ? Math.min(spec.after, SHORT) : spec.after;
  const report = await losePower({ seed: SEED, spec: { ...spec, after }, points: IS_EVERY && isLong ? MANY : POINTS });
  // What is tried must be worth it: something was lost.
  expect(report.earlier).toBeGreaterThan(0);
  console.info(`${name}: ${JSON.stringify(report)}`);
}, TIME_MS);
