import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Arrivals } from '../../src/server/arrivals.ts';

afterEach(() => vi.restoreAllMocks());

/** A turn that is long, and one that is not. */
const LONG_MS = 5;
const SHORT_MS = 0.5;
/** How long a rush lasts at most until turns must have been long again. */
const HOLD_MS = 100;

interface Fixture {
  readonly arrivals: Arrivals;
  /** Has time pass, which does not by itself. */
  readonly pass: (ms: number) => void;
  /** One turn of the event loop, which took so long, and in the end of which so many clients came. */
  readonly turn: (ms: number, clients: number) => Promise<void>;
}

function start(): Fixture {
  let now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const arrivals = new Arrivals();
  const pass = (ms: number): void => void (now += ms);
  return {
    arrivals,
    pass,
    async turn(ms, clients) {
      pass(ms);
      for (let i = 0; i < clients; i++) arrivals.come();
      await nextTurn();
    },
  };
}

describe('a rush', () => {
  it('is when a client comes in each of two turns, and they are long', async () => {
    const { arrivals, turn } = start();
    await turn(LONG_MS, 1);
    expect(arrivals.isRush).toBe(false);
    await turn(LONG_MS, 1);
    expect(arrivals.isRush).toBe(true);
  });

  it.each([
    ['in short turns', [[SHORT_MS, 1], [SHORT_MS, 1], [SHORT_MS, 1]]],
    ['with a turn in between in which none comes', [[LONG_MS, 1], [LONG_MS, 0], [LONG_MS, 1], [LONG_MS, 0], [LONG_MS, 1]]],
    ['together', [[LONG_MS, 0], [LONG_MS, 5]]],
  ] as const)('is not when clients come %s', async (_how, turns) => {
    const { arrivals, turn } = start();
    for (const [ms, clients] of turns) {
      await turn(ms, clients);
      expect(arrivals.isRush).toBe(false);
    }
  });

  it('goes on in short turns, and ends with one in which none comes', async () => {
    const { arrivals, turn } = start();
    await turn(LONG_MS, 1);
    await turn(LONG_MS, 1);
    for (let i = 0; i < 5; i++) {
      await turn(SHORT_MS, 1);
      expect(arrivals.isRush).toBe(true);
    }
    await turn(SHORT_MS, 0);
    expect(arrivals.isRush).toBe(false);
  });

  it('ends after a while whoever comes, until turns are long again', async () => {
    const { arrivals, turn } = start();
    await turn(LONG_MS, 1);
    await turn(LONG_MS, 1);
    for (let ms = SHORT_MS; ms < HOLD_MS; ms += SHORT_MS) await turn(SHORT_MS, 1);
    expect(arrivals.isRush).toBe(true);
    await turn(SHORT_MS, 1);
    expect(arrivals.isRush).toBe(false);
    await turn(SHORT_MS, 1);
    expect(arrivals.isRush).toBe(false);
    await turn(LONG_MS, 1);
    expect(arrivals.isRush).toBe(true);
  });

  it('leaves each turn a little time for those in line, who all have theirs when it ends', async () => {
    const { arrivals, pass, turn } = start();
    await turn(LONG_MS, 1);
    await turn(LONG_MS, 1);
    let served = 0;
    for (let i = 0; i < 100; i++) {
      arrivals.wait(() => {
        served++;
        pass(0.0625);
      });
    }
    await turn(SHORT_MS, 1);
    expect(served).toBe(4);
    await turn(SHORT_MS, 1);
    expect(served).toBe(8);
    await turn(SHORT_MS, 0);
    expect(served).toBe(100);
  });
});
