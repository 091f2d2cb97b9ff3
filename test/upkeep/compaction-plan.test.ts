import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LevelTable } from '../../src/store/level-tables.ts';
import { planRanges } from '../../src/upkeep/compaction-plan.ts';

const tables: LevelTable[] = [
  { level: 0, bytes: 50, from: 'a', to: 'z' },
  { level: 1, bytes: 100, from: 'a', to: 'f' },
  { level: 1, bytes: 100, from: 'g', to: 'm' },
  { level: 2, bytes: 100, from: 'n', to: 'z' },
];

/** All died in one range of keys. */
function diedIn(from: string, to: string, noted: number): (a: string | undefined, b: string | undefined) => number {
  return (a = '', b = '\u00ff') => (a <= from && to <= b ? noted : 0);
}

describe('planRanges()', () => {
  it('cuts where tables begin, so that each range has about as many bytes as were asked for', () => {
    const ranges = planRanges(tables, { dead: 0, noted: 0, notedBetween: () => 0 }, 100);
    expect(ranges.map(({ from, to }) => [from, to])).toEqual([[undefined, 'g'], ['g', 'n'], ['n', undefined]]);
    expect(ranges.reduce((sum, { bytes }) => sum + bytes, 0)).toBeCloseTo(350);
  });

  it('puts dead bytes where they were noted', () => {
    const ranges = planRanges(tables, { dead: 60, noted: 60, notedBetween: diedIn('g', 'n', 60) }, 100);
    expect(ranges.map(({ dead }) => dead)).toEqual([0, 60, 0]);
  });

  it('scales down what was noted but cannot be there any more', () => {
    const ranges = planRanges(tables, { dead: 30, noted: 600, notedBetween: diedIn('g', 'n', 600) }, 100);
    expect(ranges.map(({ dead }) => dead)).toEqual([0, 30, 0]);
  });

  it('spreads what nobody noted as the tables lie', () => {
    const ranges = planRanges(tables, { dead: 35, noted: 0, notedBetween: () => 0 }, 100);
    for (const { dead, bytes } of ranges) expect(dead).toBeCloseTo(bytes / 10);
  });

  it('covers every key once, and never finds more dead than there is', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 3 });
    const table = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 100 }), key, key).map(([level, bytes, a, b]) => ({ level, bytes, from: a < b ? a : b, to: a < b ? b : a }));
    fc.assert(
      fc.property(fc.array(table, { maxLength: 30 }), fc.nat(10_000), fc.nat(10_000), (some, dead, noted) => {
        const ranges = planRanges(some, { dead, noted, notedBetween: () => noted }, 100);
        expect(ranges[0]!.from).toBeUndefined();
        expect(ranges.at(-1)!.to).toBeUndefined();
        for (const [i, range] of ranges.entries()) {
          expect(range.from).toBe(i === 0 ? undefined : ranges[i - 1]!.to);
          if (range.from !== undefined && range.to !== undefined) expect(range.from < range.to).toBe(true);
          expect(range.dead).toBeGreaterThanOrEqual(0);
          expect(range.dead).toBeLessThanOrEqual(range.bytes);
        }
        const bytes = some.reduce((sum, one) => sum + one.bytes, 0);
        expect(ranges.reduce((sum, range) => sum + range.bytes, 0)).toBeCloseTo(bytes);
      }),
    );
  });
});
