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

  it('forgets the bucket that was left first when there are too many', () => {
    const listed = new ListedKeys();
    listed.leave(7, 0, 'first');
    for (let i = 0; i < 40_000; i++) listed.leave(1000 + Math.floor(i / 1000), 0, `k${i}`);
    expect(listed.takeBack(7, 0, 'first')).toBe(false);
    expect(listed.takeBack(1039, 0, 'k39999')).toBe(true);
    let kept = 0;
    for (let i = 0; i < 40_000; i++) if (listed.takeBack(1000 + Math.floor(i / 1000), 0, `k${i}`)) kept++;
    expect(kept).toBeGreaterThan(30_000);
    expect(kept).toBeLessThanOrEqual(32_768);
  });

  it('forgets all when writes were lost', () => {
    const listed = new ListedKeys();
    listed.leave(100, 2, 'a');
    listed.clear();
    expect(listed.takeBack(100, 2, 'a')).toBe(false);
  });
});
