import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUSY_MS, firstLimit, IDLE_FLOOR_MS, MAX_PAUSE_MS, MIN_LIMIT, nextPace, type PaceInput } from '../../daemon/pace.ts';

const settings = { batch: 1000, maxRate: 0, intervalMs: 5000 };
const calm: PaceInput = {
  limit: 500,
  entries: 500,
  durationMs: 5,
  idleTripMs: 1,
  more: true,
  lagMs: 0,
  isUrgent: false,
  untilDueMs: 0,
  busyMs: 0,
};

describe('nextPace()', () => {
  it.each([
    ['doubles the limit without a pause when behind', { lagMs: 2000 }, {}, { limit: 1000, pauseMs: 0 }],
    ['does so too when it is urgent', { isUrgent: true }, {}, { limit: 1000, pauseMs: 0 }],
    ['stops at the batch size', { limit: 900, lagMs: 2000 }, {}, { limit: 1000, pauseMs: 0 }],
    ['takes a quarter of the time when keeping up', { lagMs: 1000 }, {}, { limit: 1000, pauseMs: 15 }],
    ['keeps the limit and rests as long as the work when half strained', { busyMs: 8 }, {}, { limit: 500, pauseMs: 5 }],
    ['halves the limit when the server is busy', { busyMs: 2 * BUSY_MS }, {}, { limit: 250, pauseMs: 30 }],
    ['does not rest either when the server is busy and it is behind', { busyMs: 50 * BUSY_MS, lagMs: 2000, durationMs: 6 }, {}, { limit: 1000, pauseMs: 0 }],
    ['halves the limit when the round was slow', { durationMs: 41 }, {}, { limit: 250, pauseMs: 41 * 6 }],
    ['does not take a far network for a slow server', { durationMs: 105, idleTripMs: 100, isUrgent: true }, {}, { limit: 1000, pauseMs: 0 }],
    ['does not go under the smallest limit', { limit: 20, busyMs: 500 }, {}, { limit: MIN_LIMIT, pauseMs: 750 }],
    ['does not pause longer than a second', { busyMs: 50_000 }, {}, { limit: 250, pauseMs: MAX_PAUSE_MS }],
    ['sleeps for the interval when the index is empty', { more: false, untilDueMs: Infinity }, {}, { limit: 500, pauseMs: 5000 }],
    ['sleeps until the oldest deadline', { more: false, untilDueMs: 2000 }, {}, { limit: 500, pauseMs: 2000 }],
    ['does not sleep less than a second', { more: false, untilDueMs: 0 }, {}, { limit: 500, pauseMs: IDLE_FLOOR_MS }],
    ['sleeps for a short interval', { more: false, untilDueMs: 0 }, { intervalMs: 50 }, { limit: 500, pauseMs: 50 }],
    ['keeps to a rate', { durationMs: 10 }, { maxRate: 1000 }, { limit: 100, pauseMs: 490 }],
    ['keeps to a rate when nothing further is due', { more: false, entries: 9000 }, { maxRate: 1000 }, { limit: 100, pauseMs: 8995 }],
    ['takes at least one entry at the lowest rate', { entries: 1 }, { maxRate: 1 }, { limit: 1, pauseMs: 995 }],
  ])('%s', (_name, input, setting, expected) => {
    expect(nextPace({ ...calm, ...input }, { ...settings, ...setting })).toEqual(expected);
  });

  const inputs = fc.record({
    limit: fc.integer({ min: 1, max: 10_000 }),
    entries: fc.integer({ min: 0, max: 100_000 }),
    durationMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
    idleTripMs: fc.double({ min: 0, max: 1000, noNaN: true }),
    more: fc.boolean(),
    lagMs: fc.double({ min: 0, noNaN: true }),
    isUrgent: fc.boolean(),
    untilDueMs: fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constant(Number.POSITIVE_INFINITY)),
    busyMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
  });
  const anySettings = fc.record({
    batch: fc.integer({ min: 1, max: 10_000 }),
    maxRate: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })),
    intervalMs: fc.integer({ min: 1, max: 604_800_000 }),
  });

  it('never goes over the rate, whatever the rounds', () => {
    fc.assert(
      fc.property(inputs, anySettings, (input, chosen) => {
        const { pauseMs } = nextPace(input, chosen);
        const allowed = (chosen.maxRate * (input.durationMs + pauseMs)) / 1000;
        expect(chosen.maxRate === 0 || input.entries <= allowed * (1 + 1e-9) + 1e-6).toBe(true);
      }),
    );
  });

  it('keeps pauses and limits within their bounds', () => {
    fc.assert(
      fc.property(inputs, anySettings, (input, chosen) => {
        const { limit, pauseMs } = nextPace(input, chosen);
        const ratePauseMs = chosen.maxRate === 0 ? 0 : Math.ceil((input.entries * 1000) / chosen.maxRate);
        expect(pauseMs).toBeGreaterThanOrEqual(0);
        expect(pauseMs).toBeLessThanOrEqual(Math.max(input.more ? MAX_PAUSE_MS : chosen.intervalMs, ratePauseMs));
        expect(limit).toBeGreaterThanOrEqual(1);
        expect(limit).toBeLessThanOrEqual(chosen.batch);
        expect(Number.isInteger(limit)).toBe(true);
      }),
    );
  });
});

describe('firstLimit()', () => {
  it('stays within batch and rate', () => {
    expect(firstLimit(settings)).toBe(128);
    expect(firstLimit({ ...settings, batch: 10 })).toBe(10);
    expect(firstLimit({ ...settings, maxRate: 50 })).toBe(5);
  });
});
