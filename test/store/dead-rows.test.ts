import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadRows } from '../../src/store/dead-rows.ts';

const death = fc.record({ key: fc.string({ unit: fc.constantFrom('a', 'b', 'z', '\u00ff'), maxLength: 4 }), bytes: fc.integer({ min: 1, max: 400 }) });

describe('DeadRows', () => {
  it('knows all bytes that died, and where, to within what a key stands for', () => {
    fc.assert(
      fc.property(fc.array(death, { maxLength: 300 }), fc.string({ unit: fc.constantFrom('a', 'b', 'z'), maxLength: 3 }), (deaths, cut) => {
        const dead = new DeadRows(1000, 100);
        for (const { key, bytes } of deaths) dead.note(key, bytes);
        const total = deaths.reduce((sum, { bytes }) => sum + bytes, 0);
        expect([dead.bytes, dead.noted]).toEqual([total, total]);
        // Cut anywhere, the two parts are the whole, but for what no key stands for yet.
        expect(Math.abs(dead.between(undefined, cut) + dead.between(cut, undefined) - total)).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('keeps the shares of ranges, in bounded memory, however much dies', () => {
    const dead = new DeadRows(64, 100);
    for (let i = 0; i < 100_000; i++) dead.note(i % 4 === 0 ? `a${i}` : `b${i}`, 50);
    expect(dead.noted).toBe(5_000_000);
    expect(dead.bytes / 5_000_000).toBeCloseTo(1, 0);
    expect(dead.between('b', undefined) / dead.bytes).toBeGreaterThan(0.5);
    expect(dead.between('b', undefined) / dead.bytes).toBeLessThan(0.96);
  });

  it('forgets a range, and no other', () => {
    const dead = new DeadRows(1000, 100);
    for (const key of ['a', 'b', 'b1', 'c']) dead.note(key, 1500);
    const before = [dead.between(undefined, 'b'), dead.between('c', undefined)];
    dead.forget('b', 'c');
    expect([dead.between(undefined, 'b'), dead.between('b', 'c'), dead.between('c', undefined)]).toEqual([before[0], 0, before[1]]);
    expect(before.every((bytes) => bytes >= 1000)).toBe(true);
    dead.forget(undefined, undefined);
    expect(dead.bytes).toBe(0);
  });

  it('halves what it knows with age, down to nothing', () => {
    const dead = new DeadRows(16, 100);
    for (let i = 0; i < 1000; i++) dead.note(`k${i}`, 100);
    for (let bytes = dead.bytes; bytes > 200; bytes = dead.bytes) {
      dead.age();
      expect(dead.bytes).toBeLessThanOrEqual(0.6 * bytes + 100);
    }
  });
});
