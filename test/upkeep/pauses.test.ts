import { describe, expect, it } from 'vitest';
import { Pauses } from '../../src/upkeep/pauses.ts';

const NEVER = new AbortController().signal;

/** Pauses that note how long they were to rest. */
function noted(): { readonly pauses: Pauses; readonly rests: number[] } {
  const rests: number[] = [];
  return { pauses: new Pauses((ms) => Promise.resolve(void rests.push(ms))), rests };
}

describe('Pauses', () => {
  it('rests for a share of the work', async () => {
    const { pauses, rests } = noted();
    await pauses.after({ tookMs: 20, items: 1000 }, 3, NEVER);
    await pauses.after({ tookMs: 20, items: 1000 }, 0.25, NEVER);
    expect(rests).toEqual([60, 5]);
  });

  it('takes what is far longer than the work on the items for waiting', async () => {
    const { pauses, rests } = noted();
    await pauses.after({ tookMs: 50, items: 40 }, 3, NEVER);
    expect(rests).toEqual([3]);
  });

  it('takes what large values take for work', async () => {
    const { pauses, rests } = noted();
    await pauses.after({ tookMs: 5, items: 1, bytes: 2_000_000 }, 3, NEVER);
    expect(rests[0]).toBeCloseTo(12, 0);
  });

  it('saves up what is too short for a timer, and gives others a turn meanwhile', async () => {
    const { pauses, rests } = noted();
    for (let step = 0; step < 8; step++) await pauses.after({ tookMs: 0.25, items: 32 }, 1, NEVER);
    expect(rests).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
  });

  it('never rests for more than a second, however much is saved up', async () => {
    const { pauses, rests } = noted();
    await pauses.after({ tookMs: 0.5, items: 32 }, 1, NEVER);
    await pauses.after({ tookMs: 10_000, items: 10 ** 6 }, 100, NEVER);
    await pauses.after({ tookMs: 0, items: 32 }, 1, NEVER);
    expect(rests).toEqual([0, 1000, 0]);
  });

  it('lets what waits have its turn', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('other'));
    await new Pauses().after({ tookMs: 0, items: 0 }, 0, NEVER);
    order.push('work');
    expect(order).toEqual(['other', 'work']);
  });

  it.each([0, 10_000])('ends a rest of %s ms when aborted', async (workMs) => {
    const abort = new AbortController();
    const resting = new Pauses().after({ tookMs: workMs, items: 10 ** 6 }, 1, abort.signal);
    abort.abort();
    await resting;
    await new Pauses().after({ tookMs: workMs, items: 10 ** 6 }, 1, abort.signal);
  });
});
