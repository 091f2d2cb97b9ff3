import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadSketch } from '../../src/ram/read-sketch.ts';

const HASH_MAX = 0xffff_ffff;

describe('ReadSketch', () => {
  it('remembers how often a key was read, up to three times', () => {
    const sketch = new ReadSketch(0);
    expect(sketch.take(7)).toBe(false);
    sketch.add(7);
    expect([sketch.take(7), sketch.take(7)]).toEqual([true, false]);
    for (let i = 0; i < 10; i++) sketch.add(7);
    expect([sketch.take(7), sketch.take(7), sketch.take(7), sketch.take(7)]).toEqual([true, true, true, false]);
  });

  it('never forgets a read until it is taken, and keeps it when it grows', () => {
    const hashes = fc.array(fc.integer({ min: 0, max: HASH_MAX }), { maxLength: 200 });
    fc.assert(
      fc.property(hashes, fc.integer({ min: 0, max: 400_000 }), (read, items) => {
        const sketch = new ReadSketch(0);
        for (const hash of read) sketch.add(hash);
        sketch.fit(items);
        for (const hash of new Set(read.map((hash) => hash % 65_536))) expect(sketch.take(read.find((each) => each % 65_536 === hash)!)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('takes half a byte to a byte per item, and is bounded', () => {
    for (const items of [1_000_000, 1_500_000, 10_000_000]) {
      const perItem = new ReadSketch(items).bytes / items;
      expect(perItem).toBeGreaterThanOrEqual(0.5);
      expect(perItem).toBeLessThanOrEqual(1);
    }
    const sketch = new ReadSketch(0);
    sketch.fit(2 ** 40);
    expect(sketch.bytes).toBe(64 * 2 ** 20);
  });

  it('tells few keys that were not read for read, with as many items as it was made for', () => {
    const items = 200_000;
    const sketch = new ReadSketch(items);
    let seed = 1;
    const next = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0);
    for (let i = 0; i < items / 4; i++) sketch.add(next());
    let wrong = 0;
    for (let i = 0; i < 10_000; i++) if (sketch.take(next())) wrong++;
    expect(wrong).toBeLessThan(2000);
  });
});
