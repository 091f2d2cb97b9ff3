import type { Random } from './random.ts';

/**
 * Draws ranks 0 to count - 1, rank r with a probability proportional to 1 / (r + 1)^exponent. Exact, from a table
 * of 8 bytes per rank and a binary search.
 */
export class Zipf {
  readonly #cumulative: Float64Array;

  constructor(count: number, exponent: number) {
    this.#cumulative = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank += 1) {
      sum += (rank + 1) ** -exponent;
      this.#cumulative[rank] = sum;
    }
  }

  /** The next rank. */
  draw(random: Random): number {
    const table = this.#cumulative;
    const target = random.unit() * (table.at(-1) ?? 0);
    let low = 0;
    let high = table.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((table[middle] ?? 0) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
