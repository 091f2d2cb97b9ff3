import { describe, expect, it } from 'vitest';
import { Histogram } from '../load/histogram.ts';
import { compare, type Gets, getsOf, type Portion, showComparison } from './phases.ts';

/** A portion of 100 gets that took so many milliseconds, but `slow` of them ten times as long. */
function portion(ms: number, slow = 0): Portion {
  const histogram = new Histogram();
  for (let i = 0; i < 100; i++) histogram.record((i < slow ? 10 * ms : ms) * 1e6);
  return { latencies: histogram.counts(), misses: slow };
}

function gets(p50: number, p99: number, medianP99 = p99): Gets {
  return { gets: 100, misses: 0, p50, p99, max: p99, medianP99 };
}

/** As exact as a histogram is. */
function expectAbout(measured: number, expected: number): void {
  expect(measured / expected).toBeGreaterThan(0.97);
  expect(measured / expected).toBeLessThan(1.03);
}

describe('getsOf()', () => {
  it('puts portions together', () => {
    const { gets: count, misses, p50, p99, max } = getsOf([portion(1), portion(1), portion(3, 6)]);
    expect([count, misses]).toEqual([300, 6]);
    expectAbout(p50, 1);
    expectAbout(p99, 30);
    expectAbout(max, 30);
  });

  it('has a median of p99s in which one bad portion does not show', () => {
    const { p99, medianP99 } = getsOf([portion(1), portion(3, 50), portion(2)]);
    expectAbout(p99, 30);
    expectAbout(medianP99, 2);
  });

  it('passes over portions in which nothing was answered, rather than to take them for fast', () => {
    const none: Portion = { latencies: [], misses: 0 };
    expectAbout(getsOf([none, portion(4), none]).medianP99, 4);
    expect(getsOf([none]).medianP99).toBeNaN();
  });
});

describe('compare()', () => {
  it('takes for normal the mean of before and after', () => {
    const { p99, medianP99, driftOfP50, driftOfP99 } = compare(gets(1, 2, 1), gets(1, 6, 4), gets(1.5, 2.5, 3));
    expect([p99, medianP99, driftOfP50, driftOfP99]).toEqual([6 / 2.25, 2, 1.5, 1.25]);
  });

  it.each([
    [2, 3, false],
    [3, 2, false],
    [2, 3.1, true],
    [3.1, 2, true],
  ])('with a p99 of %d ms before and %d ms after it says that the machine changed: %j', (before, after, hasMachineChanged) => {
    expect(compare(gets(1, before), gets(1, 3), gets(1, after)).hasMachineChanged).toBe(hasMachineChanged);
  });

  it('has no figure without gets after it', () => {
    expect(compare(gets(1, 2), gets(1, 3), getsOf([])).medianP99).toBeNaN();
  });
});

describe('showComparison()', () => {
  const shown = (before: Gets, meanwhile: Gets, after: Gets): string =>
    showComparison([{ name: 'before', gets: before }, { name: 'meanwhile', gets: meanwhile }, { name: 'after', gets: after }], compare(before, meanwhile, after));

  it('shows what was compared, the drift, and both ratios', () => {
    const rows = shown(gets(1, 2, 1), gets(1, 6, 4), gets(1.5, 2.5, 3)).split('\n').slice(2);
    expect(rows.map((row) => row.split('|').slice(2, -1).map((cell) => cell.trim()))).toEqual([
      ['1.00', '2.00', '1.00'],
      ['1.00', '6.00', '4.00'],
      ['1.50', '2.50', '3.00'],
      ['1.50', '1.25', ''],
      ['', '2.67', '2.00'],
    ]);
  });

  it.each([
    [2.5, false],
    [3.5, true],
  ])('with a p99 of 2 ms before and %d ms after it warns of the machine: %j', (after, isWarned) => {
    expect(shown(gets(1, 2), gets(1, 3), gets(1, after)).includes('THE MACHINE CHANGED WITHIN THE RUN')).toBe(isWarned);
  });
});
