import { describe, expect, it } from 'vitest';
import { EphemeralItems } from '../../src/store/ephemeral-items.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { ManualClock } from '../support/manual-clock.ts';

function make(limitBytes = 2 ** 20): { items: EphemeralItems; clock: ManualClock; put: (key: string, cas: number, ttl?: number, length?: number) => boolean } {
  const clock = new ManualClock();
  const items = new EphemeralItems({ seconds: 10, limitBytes, clock });
  const put = (key: string, cas: number, ttl = 10, length = 3): boolean =>
    items.put(key, buildItem({ value: bytesOf(length, cas), cas, expiresAt: clock.now() + ttl })) !== undefined;
  return { items, clock, put };
}

const keysOf = (found: readonly { readonly key: string }[]): string[] => found.map(({ key }) => key);

describe('EphemeralItems', () => {
  it('takes times to live up to the limit, and no item that never expires', () => {
    const { items, clock } = make();
    expect([clock.now() + 1, clock.now() + 10].every((at) => items.isShort(at))).toBe(true);
    expect([0, clock.now() + 11].some((at) => items.isShort(at))).toBe(false);
  });

  it('keeps a copy of the value', () => {
    const { items } = make();
    const value = Buffer.from('value');
    items.put('k', buildItem({ value, cas: 1 }));
    value.fill(0);
    expect(items.get('k')?.value?.toString()).toBe('value');
  });

  it('counts keys, values and a share for each item, and has nothing of it left in the end', () => {
    const { items, put } = make();
    put('a', 1, 10, 100);
    const one = items.bytes;
    expect(one).toBeGreaterThan(101);
    expect(items.itemBytes).toBe(101);
    put('a', 2, 10, 50);
    expect(items.bytes).toBe(one - 50);
    put('b', 3);
    expect(items.size).toBe(2);
    expect(items.delete('a')).toBe(true);
    expect(items.delete('a')).toBe(false);
    items.release('b');
    expect([items.size, items.bytes, items.itemBytes]).toEqual([0, 0, 0]);
  });

  it('refuses what does not fit, and then has nothing of the key', () => {
    const { items, put } = make(2000);
    expect(put('a', 1, 10, 400)).toBe(true);
    expect(put('b', 2, 10, 400)).toBe(true);
    expect(put('c', 3, 10, 400)).toBe(false);
    expect(put('b', 4, 10, 900)).toBe(false);
    expect(items.get('b')).toBeUndefined();
    expect(items.counts).toEqual({ stored: 2, overflows: 2 });
  });

  it('gives up what has expired, a few at a time, also after its time was changed', () => {
    const { items, clock, put } = make();
    for (let i = 0; i < 5; i++) put(`a${i}`, i + 1, 2);
    put('later', 6, 9);
    items.restate('a4', { ...items.get('a4')!, expiresAt: clock.now() + 5 });
    clock.advance(2);
    expect(items.takeDead(0, 3)).toHaveLength(3);
    expect(keysOf(items.takeDead(0, 3))).toEqual(['a3']);
    clock.advance(3);
    expect(keysOf(items.takeDead(0, 3))).toEqual(['a4']);
    expect(items.size).toBe(1);
  });

  it('gives up what was flushed, whatever was changed of it since', () => {
    const { items, clock, put } = make();
    for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) put(key, i + 1);
    items.restate('a', { ...items.get('a')!, expiresAt: clock.now() + 1 });
    // A new cas unique: it counts as stored now.
    items.restate('b', { ...items.get('b')!, cas: 5 });
    expect(keysOf(items.takeDead(3, 100))).toEqual(['a', 'c']);
    expect(keysOf(items.walk(100).next(100))).toEqual(['d', 'b']);
  });

  it('lists in the order of keys as bytes, in portions', () => {
    const { items, put } = make();
    const keys = Array.from({ length: 100 }, (_, i) => `k${String((i * 37) % 100).padStart(2, '0')}`);
    for (const [i, key] of [...keys, 'j', '\xff'].entries()) put(key, i + 1);
    const found: string[] = [];
    for (let after: string | undefined; ; after = found.at(-1)) {
      const some = keysOf(items.between('k', after, undefined, 7));
      found.push(...some);
      if (some.length < 7) break;
    }
    expect(found).toEqual(keys.toSorted());
    expect(keysOf(items.between('', 'k98', '\xff', 10))).toEqual(['k99', '\xff']);
    expect(keysOf(items.between('', undefined, 'k01', 10))).toEqual(['j', 'k00', 'k01']);
  });
});

describe('EphemeralWalk', () => {
  it('comes once to what is there throughout, and not to what is stored since', () => {
    const { items, put } = make();
    for (let i = 0; i < 6; i++) put(`k${i}`, i + 1);
    const walk = items.walk(6);
    expect(keysOf(walk.next(2))).toEqual(['k0', 'k1']);
    put('k1', 7);
    put('k4', 8);
    put('new', 9);
    items.delete('k2');
    expect([...keysOf(walk.next(2)), ...keysOf(walk.next(2))]).toEqual(['k3', 'k5']);
    expect(walk.next(2)).toEqual([]);
    walk.end();
  });

  it('knows what it came to and went to the disk since', () => {
    const { items, put } = make();
    for (let i = 0; i < 4; i++) put(`k${i}`, i + 1);
    const walk = items.walk(4);
    walk.next(2);
    items.release('k1');
    items.release('k3');
    expect([...walk.moved]).toEqual(['k1']);
    expect(keysOf(walk.next(9))).toEqual(['k2']);
    walk.end();
    items.release('k0');
    expect([...walk.moved]).toEqual(['k1']);
  });
});
