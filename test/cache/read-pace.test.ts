import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReadPace } from '../../src/cache/read-pace.ts';

let nowMs = 0;

beforeEach(() => {
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => vi.restoreAllMocks());

/** One read that takes so long. False when it may not block. */
function read(pace: ReadPace, tookMs: number): boolean {
  if (!pace.mayBlock()) return false;
  nowMs += tookMs;
  pace.finish();
  return true;
}

/** Milliseconds until reads may block again. */
async function pauseOf(pace: ReadPace): Promise<number> {
  const from = nowMs;
  while (!pace.mayBlock()) {
    nowMs += 10;
    await new Promise((resolve) => setImmediate(resolve));
  }
  pace.finish();
  return nowMs - from;
}

describe('the pace of reads at once', () => {
  it('allows so many in a turn of the event loop', async () => {
    const pace = new ReadPace();
    let reads = 0;
    while (read(pace, 0.01)) reads++;
    expect(reads).toBe(128);
    await new Promise((resolve) => setImmediate(resolve));
    expect(read(pace, 0.01)).toBe(true);
  });

  it('pauses after a slow one, and twice as long after each further one, up to a second', async () => {
    const pace = new ReadPace();
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      expect(read(pace, 5)).toBe(true);
      pauses.push(await pauseOf(pace));
    }
    expect(pauses).toEqual([20, 40, 80, 160, 320, 640, 1000, 1000]);
  });

  // What the kernel had by chance began the pauses anew, while nearly all was on disk.
  it('does not take a few quick ones in between for a sign that the rest is in memory', async () => {
    const pace = new ReadPace();
    for (let i = 0; i < 4; i++) {
      expect(read(pace, 5)).toBe(true);
      await pauseOf(pace);
      for (let quick = 0; quick < 30; quick++) expect(read(pace, 0.01)).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(read(pace, 5)).toBe(true);
    expect(await pauseOf(pace)).toBe(320);
  });

  it('begins anew when many were quick', async () => {
    const pace = new ReadPace();
    for (let i = 0; i < 4; i++) {
      read(pace, 5);
      await pauseOf(pace);
    }
    for (let quick = 0; quick < 130; ) {
      if (read(pace, 0.01)) quick++;
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(read(pace, 5)).toBe(true);
    expect(await pauseOf(pace)).toBe(20);
  });
});
