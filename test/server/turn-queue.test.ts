import { afterEach, describe, expect, it, vi } from 'vitest';
import { TurnQueue } from '../../src/server/turn-queue.ts';

afterEach(() => vi.restoreAllMocks());

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Has the clock go on by so many milliseconds with each look at it. */
function clockOf(stepMs: number): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += stepMs));
}

describe('TurnQueue', () => {
  it('gives turns in the order in which they were asked for, in the next turn of the event loop', async () => {
    const turns = new TurnQueue();
    const seen: number[] = [];
    for (const i of [1, 2, 3]) turns.wait(() => seen.push(i));
    expect(seen).toEqual([]);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3]);
  });

  it('goes on in the turn after when the time of one is over', async () => {
    clockOf(1);
    const turns = new TurnQueue();
    const seen: number[] = [];
    for (const i of [1, 2, 3, 4, 5]) turns.wait(() => seen.push(i));
    await nextTurn();
    expect(seen).toEqual([1, 2]);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3, 4]);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('lets one that wants turn after turn have one in each turn of the event loop', async () => {
    const turns = new TurnQueue();
    let count = 0;
    const again = (): void => {
      count++;
      turns.wait(again);
    };
    turns.wait(again);
    await nextTurn();
    await nextTurn();
    await nextTurn();
    expect(count).toBe(3);
  });

  it('has everybody take their turn before anybody has the next one', async () => {
    clockOf(1);
    const turns = new TurnQueue();
    const counts = [0, 0, 0, 0, 0, 0, 0];
    counts.forEach((_, i) => {
      const again = (): void => {
        counts[i]!++;
        turns.wait(again);
      };
      turns.wait(again);
    });
    for (let i = 0; i < 100; i++) await nextTurn();
    expect(Math.min(...counts)).toBeGreaterThan(20);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('is crowded while more wait than there is time for at once', async () => {
    const turns = new TurnQueue();
    for (let i = 0; i < 8; i++) turns.wait(() => undefined);
    expect(turns.isCrowded).toBe(false);
    turns.wait(() => undefined);
    expect(turns.isCrowded).toBe(true);
    await nextTurn();
    expect(turns.isCrowded).toBe(false);
  });
});
