import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

function histogramOf(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe('Histogram', () => {
  it('is 0 everywhere when empty', () => {
    expect(new Histogram().percentile(0.99)).toBe(0);
  });

  it('is exact for small durations', () => {
    const histogram = histogramOf([1, 2, 3, 31]);
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => histogram.percentile(share))).toEqual([1, 1, 2, 3, 31]);
  });

  it.each([0.01, 0.5, 0.9, 0.99, 0.999, 1])('is within 1.6 %% of the %f-th of a thousand durations', (share) => {
    const histogram = histogramOf(Array.from({ length: 1000 }, (_, index) => (index + 1) * 1000));
    const truth = Math.ceil(1000 * share) * 1000;
    expect(Math.abs(histogram.percentile(share) / truth - 1)).toBeLessThan(0.016);
  });

  it('keeps neighbouring buckets in order over the whole range', () => {
    let last = -1;
    for (let value = 1; value < 2 ** 32; value = Math.ceil(value * 1.04)) {
      const middle = histogramOf([value]).percentile(1);
      expect(middle).toBeGreaterThan(last);
      expect(Math.abs(middle / value - 1)).toBeLessThan(0.017);
      last = middle;
    }
  });

  it('counts what is out of range at the ends', () => {
    const histogram = histogramOf([-5, 1e15]);
    expect(histogram.total).toBe(2);
    expect(histogram.percentile(0.5)).toBe(0);
    expect(histogram.percentile(1) / 2 ** 32).toBeCloseTo(1, 1);
  });
});
