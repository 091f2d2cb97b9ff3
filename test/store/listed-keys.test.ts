import { describe, expect, it } from 'vitest';
import { ListedKeys } from '../../src/store/listed-keys.ts';

describe('ListedKeys', () => {
  it('gives a key back to the bucket that it left, once', () => {
    const listed = new ListedKeys();
    listed.leave(100, 2, 'a');
    expect(listed.takeBack(100, 3, 'a')).toBe(false);
    expect(listed.takeBack(104, 2, 'a')).toBe(false);
    expect(listed.takeBack(100, 2, 'b')).toBe(false);
    expect(listed.takeBack(100, 2, 'a')).toBe(true);
    expect(listed.takeBack(100, 2, 'a')).toBe(false);
  });

  it('knows nothing of buckets that a sweep has come to, also if they are left later', () => {
    const listed = new ListedKeys();
    listed.leave(100, 0, 'a');
    listed.leave(101, 0, 'b');
    listed.sweep(100);
    listed.leave(100, 0, 'c');
    listed.leave(99, 0, 'd');
    expect([listed.takeBack(100, 0, 'a'), listed.takeBack(100, 0, 'c'), listed.takeBack(99, 0, 'd')]).toEqual([false, false, false]);
    expect(listed.takeBack(101, 0, 'b')).toBe(true);
  });

  it('forgets some of the first when there are too many', () => {
    const listed = new ListedKeys();
    const kept = (from: number, to: number): number => {
      let count = 0;
      for (let i = from; i < to; i++) if (listed.takeBack(1000 + Math.floor(i / 1000), 0, `k${i}`)) count++;
      return count;
    };
    for (let i = 0; i < 400_000; i++) listed.leave(1000 + Math.floor(i / 1000), 0, `k${i}`);
    expect(kept(390_000, 400_000)).toBeGreaterThan(8000);
    expect(kept(0, 390_000)).toBeLessThan(65_536);
  });

  it('tells keys and buckets apart', () => {
    const listed = new ListedKeys();
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      listed.leave(100 + (i % 7), i % 5, `wiki:page:${i}`);
      for (const [deadline, shift, key] of [[101 + (i % 7), i % 5, `wiki:page:${i}`], [100 + (i % 7), (i + 1) % 5, `wiki:page:${i}`], [100 + (i % 7), i % 5, `wiki:page:${i + 1}`]] as const) {
        if (listed.takeBack(deadline, shift, key)) taken++;
      }
    }
    expect(taken).toBe(0);
  });

  it('forgets all when writes were lost', () => {
    const listed = new ListedKeys();
    listed.leave(100, 2, 'a');
    listed.clear();
    expect(listed.takeBack(100, 2, 'a')).toBe(false);
  });
});
