import { describe, expect, it } from 'vitest';
import { formatBounds, isMet } from './bounds.ts';

describe('bounds', () => {
  it.each([
    [1.99, true],
    [2, true],
    [2.01, false],
    [Number.NaN, false],
  ])('%d of at most 2: %s', (measured, met) => {
    expect(isMet({ what: 'p99', measured, most: 2 })).toBe(met);
  });

  it('are a table', () => {
    expect(formatBounds([{ what: 'disk', measured: 10, most: 15 }, { what: 'p99', measured: 2.5, most: 2 }])).toBe(
      '| bound | measured | at most | met |\n| ----- | -------: | ------: | --: |\n| disk  |    10.00 |      15 | yes |\n| p99   |     2.50 |       2 |  NO |',
    );
  });
});
