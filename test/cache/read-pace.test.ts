import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReadPace } from '../../src/cache/read-pace.ts';

let nowMs = 0;
/** Blocks that the process has read from disks. */
let blocks = 0;

beforeEach(() => {
  nowMs = 1000;
  blocks = 5000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => vi.restoreAllMocks());

/** One read that takes so long, and so many blocks from a disk. False when it may not block. */
function read(pace: ReadPace, tookMs: number, fromDisk = 0): boolean {
  if (!pace.mayBlock()) return false;
  nowMs += tookMs;
  blocks += fromDisk;
  pace.finish();
  return true;
}

/** Milliseconds until reads may block again, or `most`. So many blocks are read meanwhile for each that may not. */
async function pauseOf(pace: ReadPace, blocksEach = 0, most = 10_000): Promise<number> {
  const from = nowMs;
  while (!pace.mayBlock()) {
    if (nowMs - from >= most) return most;
    nowMs += 10;
    blocks += blocksEach;
    await new Promise((resolve) => setImmediate(resolve));
  }
  pace.finish();
  return nowMs - from;
}

describe('the pace of reads at once', () => {
  it('allows so many in a turn of the event loop', async () => {
    const pace = new ReadPace(() => blocks);
    let reads = 0;
    while (read(pace, 0.01)) reads++;
    expect(reads).toBe(128);
    await new Promise((resolve) => setImmediate(resolve));
    expect(read(pace, 0.01)).toBe(true);
  });

  it('pauses after a slow one, and twice as long after each further one, up to a second', async () => {
    const pace = new ReadPace(() => blocks);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      expect(read(pace, 5)).toBe(true);
      pauses.push(await pauseOf(pace));
    }
    expect(pauses).toEqual([20, 40, 80, 160, 320, 640, 1000, 1000]);
  });

  // What the kernel had by chance began the pauses anew, while nearly all was on disk.
  it('does not take a few quick ones in between for a sign that the rest is in memory', async () => {
    const pace = new ReadPace(() => blocks);
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
    const pace = new ReadPace(() => blocks);
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

  describe('and what the process reads from disks', () => {
    /** Reads one after the other, of which one of so many takes 0.2 ms. How many it took to a pause, or `most`. */
    function readsUntilPause(pace: ReadPace, oneOf: number, blocksEach: number, most: number): number {
      for (let reads = 0; reads < most; reads++) {
        const isLong = reads % oneOf === 0;
        if (!read(pace, isLong ? 0.2 : 0.01, isLong ? blocksEach : 0)) return reads;
      }
      return most;
    }

    it('pauses when a fast disk answers', async () => {
      const pace = new ReadPace(() => blocks);
      expect(readsUntilPause(pace, 1, 8, 100)).toBe(6);
      expect(await pauseOf(pace)).toBe(20);
      expect(readsUntilPause(pace, 2, 8, 100)).toBeLessThan(30);
    });

    // Through the thread pool each would cost four times as much, for a wait that nobody notices.
    it('goes on when a fast disk answers now and then', () => {
      expect(readsUntilPause(new ReadPace(() => blocks), 10, 8, 100)).toBe(100);
    });

    it('goes on when reads take as long and nothing comes from a disk', () => {
      expect(readsUntilPause(new ReadPace(() => blocks), 1, 0, 100)).toBe(100);
    });

    // A trial now and then met the disk, and held up every client for as long as that took.
    it('does not try while what is read elsewhere comes from a disk', async () => {
      const pace = new ReadPace(() => blocks);
      expect(read(pace, 5)).toBe(true);
      expect(await pauseOf(pace, 160, 60_000)).toBe(60_000);
      // The pause in which that ends, and one more at most.
      expect(await pauseOf(pace)).toBeLessThanOrEqual(2000);
    });

    it('tries although a compaction reads from a disk, when what is read elsewhere does not', async () => {
      const pace = new ReadPace(() => blocks);
      expect(read(pace, 5)).toBe(true);
      expect(await pauseOf(pace, 4)).toBe(20);
    });

    it('tries when nothing was read elsewhere', () => {
      const pace = new ReadPace(() => blocks);
      expect(read(pace, 5)).toBe(true);
      nowMs += 20;
      blocks += 10_000;
      expect(read(pace, 0.01)).toBe(true);
    });
  });
});
