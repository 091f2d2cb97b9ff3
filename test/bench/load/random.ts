/** A small seeded generator (xorshift): the same seed gives the same run. Not for anything secret. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = scramble(seed) || 1;
  }

  /** A number in [0, 1). */
  unit(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 2 ** 32;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }
}

/** Mixes the bits of a 32-bit integer, one to one: neighbours in, strangers out. */
export function scramble(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
