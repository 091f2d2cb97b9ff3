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
    await pauses.after(20, 1000, 3, NEVER);
    await pauses.after(20, 1000, 0.25, NEVER);
    expect(rests).toEqual([60, 5]);
  });

  it('takes what is far longer than the work on the items for waiting', async () => {
    const { pauses, rests } = noted();
    await pauses.after(50, 40, 3, NEVER);
    expect(rests).toEqual([3]);
  });

  it('saves up what is too short for a timer, and gives others a turn meanwhile', async () => {
    const { pauses, rests } = noted();
    for (let step = 0; step < 8; step++) await pauses.after(0.25, 32, 1, NEVER);
    expect(rests).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
  });

  it('never rests for more than a second, however much is saved up', async () => {
    const { pauses, rests } = noted();
    await pauses.after(0.5, 32, 1, NEVER);
    await pauses.after(10_000, 10 ** 6, 100, NEVER);
    await pauses.after(0, 32, 1, NEVER);
    expect(rests).toEqual([0, 1000, 0]);
  });

  it('lets what waits have its turn', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('other'));
    await new Pauses().after(0, 0, 0, NEVER);
    order.push('work');
    expect(order).toEqual(['other', 'work']);
  });

  it.each([0, 10_000])('ends a rest of %s ms when aborted', async (workMs) => {
    const abort = new AbortController();
    const resting = new Pauses().after(workMs, 10 ** 6, 1, abort.signal);
    abort.abort();
    await resting;
    await new Pauses().after(workMs, 10 ** 6, 1, abort.signal);
  });
});
