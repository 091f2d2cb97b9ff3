import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { Zipf } from './zipf.ts';

const DRAWS = 200_000;

function frequencies(count: number, exponent: number): number[] {
  const zipf = new Zipf(count, exponent);
  const random = new Random(7);
  const counts = Array.from({ length: count }, () => 0);
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const rank = zipf.draw(random);
    counts[rank] = (counts[rank] ?? 0) + 1;
  }
  return counts.map((drawn) => drawn / DRAWS);
}

describe('Zipf', () => {
  it.each([0.5, 0.99, 1.2])('draws rank r in proportion to 1 / (r + 1)^%f', (exponent) => {
    const weights = Array.from({ length: 50 }, (_, rank) => (rank + 1) ** -exponent);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [rank, frequency] of frequencies(50, exponent).entries()) {
      expect(Math.abs(frequency - (weights[rank] ?? 0) / sum)).toBeLessThan(0.004);
    }
  });

  it('draws the only rank there is', () => {
    expect(frequencies(1, 0.99)).toEqual([1]);
  });

  it('draws the same ranks from the same seed', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      const zipf = new Zipf(1000, 0.99);
      return Array.from({ length: 20 }, () => zipf.draw(random));
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });
});

describe('Random', () => {
  it('spreads evenly over what it is asked for', () => {
    const random = new Random(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < DRAWS; draw += 1) {
      const value = random.below(10);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count / DRAWS - 0.1)).toBeLessThan(0.005);
  });
});
