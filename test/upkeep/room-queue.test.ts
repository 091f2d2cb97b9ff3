import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RoomQueue } from '../../src/upkeep/room-queue.ts';

/** Bytes free; what is let go takes its share. */
let free: number;
let givenUp: number;
let queue: RoomQueue;
let done: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  free = 0;
  givenUp = 0;
  done = [];
  queue = new RoomQueue((bytes) => bytes <= free, () => givenUp);
});

afterEach(() => {
  vi.useRealTimers();
});

/** Holds a store that takes its bytes once it is let go and fits. */
function hold(name: string, bytes: number): boolean {
  return queue.hold(bytes, () => {
    done.push(name);
    if (bytes <= free) free -= bytes;
  });
}

describe('RoomQueue', () => {
  it('does not hold what fits', () => {
    free = 10;
    expect(hold('a', 10)).toBe(false);
    expect([queue.waiting, queue.held]).toEqual([0, 0]);
  });

  it('lets go in order, as many as fit', () => {
    expect([hold('a', 5), hold('b', 5), hold('c', 1)]).toEqual([true, true, true]);
    free = 6;
    vi.advanceTimersByTime(10);
    expect(done).toEqual(['a']);
    free = 6;
    vi.advanceTimersByTime(10);
    expect(done).toEqual(['a', 'b', 'c']);
    expect([queue.waiting, queue.held]).toEqual([0, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets nobody pass who came later', () => {
    hold('large', 100);
    free = 10;
    expect(hold('small', 1)).toBe(true);
    vi.advanceTimersByTime(100);
    expect(done).toEqual([]);
  });

  it('gives up after a second, and holds nothing until something fits again', () => {
    hold('a', 5);
    vi.advanceTimersByTime(500);
    hold('b', 5);
    vi.advanceTimersByTime(490);
    expect(done).toEqual([]);
    vi.advanceTimersByTime(10);
    expect(done).toEqual(['a', 'b']);
    expect(hold('c', 5)).toBe(false);
    free = 5;
    expect(hold('d', 5)).toBe(false);
    free = 0;
    expect(hold('e', 5)).toBe(true);
  });

  it('gives up only those that have waited for a second while something is given up, and holds others', () => {
    hold('a', 5);
    vi.advanceTimersByTime(500);
    hold('b', 5);
    givenUp = 1;
    vi.advanceTimersByTime(500);
    expect(done).toEqual(['a']);
    expect(hold('c', 5)).toBe(true);
    free = 10;
    vi.advanceTimersByTime(10);
    expect([done, free]).toEqual([['a', 'b', 'c'], 0]);
  });

  it('lets all go when it is stopped', () => {
    hold('a', 5);
    queue.stop();
    expect(done).toEqual(['a']);
    expect(hold('b', 5)).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});
