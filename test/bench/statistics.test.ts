import { describe, expect, it } from 'vitest';
import { median, medianRatio, roundOrder } from './statistics.ts';

describe('median()', () => {
  it.each([
    [[3], 3],
    [[10, 9, 1], 9],
    [[4, 1, 2, 100], 3],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('of nothing is NaN', () => {
    expect(median([])).toBeNaN();
  });
});

describe('medianRatio()', () => {
  it('compares within rounds, so that a slow round cancels out', () => {
    expect(medianRatio([20, 200, 30], [10, 100, 10])).toBe(2);
  });

  it('leaves out rounds that one of both missed', () => {
    expect(medianRatio([20, undefined, 30, 50], [10, 10, undefined, 10])).toBe(3.5);
  });

  it('is undefined without a common round', () => {
    expect(medianRatio([1], [])).toBeUndefined();
  });
});

describe('roundOrder()', () => {
  it('lets each begin in turn', () => {
    expect([0, 1, 2, 3].map((round) => roundOrder(['A', 'B', 'C'], round).join(''))).toEqual(['ABC', 'BCA', 'CAB', 'ABC']);
  });

  it('has nobody in it when there is nobody', () => {
    expect(roundOrder([], 1)).toEqual([]);
  });
});
