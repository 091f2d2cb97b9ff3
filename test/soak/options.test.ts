import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './options.ts';
import { percentile, trendOf } from './statistics.ts';

describe('npm run soak', () => {
  it('has bounds in time by itself', () => {
    expect(parseOptions([])).toEqual({ minutes: 75, crashRounds: 200, powerPoints: 2000, leakMinutes: 30, rate: 1500, startItems: [1_000_000], seed: 1 });
  });

  it('takes what it is told', () => {
    const options = parseOptions(['--minutes', '5', '--crash-rounds', '0', '--power-points', '300', '--leak-minutes', '0.5', '--start-items', '10,20', '--seed', '7', '--rate', '100']);
    expect(options).toEqual({ minutes: 5, crashRounds: 0, powerPoints: 300, leakMinutes: 0.5, rate: 100, startItems: [10, 20], seed: 7 });
    expect(parseOptions(['--start-items', '0'])?.startItems).toEqual([]);
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  it.each([['--minutes', '0'], ['--crash-rounds', '1.5'], ['--power-points', 'every'], ['--leak-minutes', '-1'], ['--rate', 'many'], ['--unknown']])('refuses %s %s', (...args) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
  });
});

describe('figures of a soak', () => {
  it('trendOf() is the slope of the line through points', () => {
    expect(trendOf([[0, 1], [1, 3], [2, 5]])).toBeCloseTo(2);
    expect(trendOf([[0, 4], [1, 2], [2, 4], [3, 2]])).toBeCloseTo(-0.4);
  });

  it('percentile() takes the median and the largest', () => {
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([3, 1, 2], 1)).toBe(3);
  });
});
