import { afterEach, describe, expect, it, vi } from 'vitest';
import { SlicedQueue } from '../src/sliced-queue.ts';

afterEach(() => vi.restoreAllMocks());

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Has the clock go on by so many milliseconds with each look at it. */
function clockOf(stepMs: number): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += stepMs));
}

describe('SlicedQueue', () => {
  it('makes calls in their order, in the next turn of the event loop', async () => {
    const queue = new SlicedQueue(2);
    clockOf(0);
    const seen: number[] = [];
    for (const i of [1, 2, 3]) queue.add(() => seen.push(i));
    expect(seen).toEqual([]);
    expect(queue.length).toBe(3);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3]);
    expect(queue.length).toBe(0);
  });

  it('goes on in the turn after when the time of one is over', async () => {
    clockOf(1);
    const queue = new SlicedQueue(2);
    const seen: number[] = [];
    for (const i of [1, 2, 3, 4, 5]) queue.add(() => seen.push(i));
    await nextTurn();
    expect(seen).toEqual([1, 2]);
    expect(queue.length).toBe(3);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3, 4]);
    await nextTurn();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('makes one call in each turn when it has no time', async () => {
    const queue = new SlicedQueue(0);
    const seen: number[] = [];
    for (const i of [1, 2, 3]) queue.add(() => seen.push(i));
    for (const count of [1, 2, 3]) {
      await nextTurn();
      expect(seen.length).toBe(count);
    }
  });

  it('makes a call that comes again and again once in each turn of the event loop', async () => {
    const queue = new SlicedQueue(2);
    let count = 0;
    const again = (): void => {
      count++;
      queue.add(again);
    };
    queue.add(again);
    await nextTurn();
    await nextTurn();
    await nextTurn();
    expect(count).toBe(3);
  });

  it('makes every call before any that comes again', async () => {
    clockOf(1);
    const queue = new SlicedQueue(2);
    const counts = [0, 0, 0, 0, 0, 0, 0];
    counts.forEach((_, i) => {
      const again = (): void => {
        counts[i]!++;
        queue.add(again);
      };
      queue.add(again);
    });
    for (let i = 0; i < 100; i++) await nextTurn();
    expect(Math.min(...counts)).toBeGreaterThan(20);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('makes what has begun before all that has not, in its order', async () => {
    const queue = new SlicedQueue(2);
    // However long the machine takes for them.
    clockOf(0);
    const seen: string[] = [];
    queue.add(() => seen.push('first'));
    queue.addBegun(() => {
      seen.push('begun');
      queue.addBegun(() => seen.push('begun again'));
    });
    queue.add(() => seen.push('second'));
    queue.addBegun(() => seen.push('begun too'));
    expect(queue.length).toBe(4);
    await nextTurn();
    expect(seen).toEqual(['begun', 'begun too', 'first', 'second']);
    await nextTurn();
    expect(seen).toEqual(['begun', 'begun too', 'first', 'second', 'begun again']);
  });

  it('goes on behind a call that throws, which nobody swallows', async () => {
    const queue = new SlicedQueue(2);
    const failed = new Promise<unknown>((resolve) => {
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const listener of listeners) process.on('uncaughtException', listener);
        resolve(error);
      });
    });
    const second = new Promise<void>((resolve) => {
      queue.add(() => {
        throw new Error('no');
      });
      queue.add(resolve);
    });
    expect(await failed).toMatchObject({ message: 'no' });
    await second;
  });
});
