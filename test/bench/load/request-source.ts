import type { LoadSpec } from './load-spec.ts';
import { Random } from './random.ts';
import type { Request } from './request.ts';
import { Zipf } from './zipf.ts';

/** Decides what is asked next, for all connections together. */
export class RequestSource {
  readonly #spec: LoadSpec;
  readonly #random: Random;
  readonly #zipf: Zipf | undefined;
  #filled = 0;

  constructor(spec: LoadSpec) {
    this.#spec = spec;
    this.#random = new Random(spec.seed);
    this.#zipf = spec.zipfExponent > 0 ? new Zipf(spec.items, spec.zipfExponent) : undefined;
  }

  /** Makes `request` the next one. False when there is nothing left to ask. */
  next(request: Request): boolean {
    if (this.#spec.mode === 'fill') {
      if (this.#filled === this.#spec.items) return false;
      request.kind = 'set';
      request.count = 1;
      request.ids[0] = this.#filled++;
      return true;
    }
    request.kind = this.#spec.getShare >= 1 || this.#random.unit() < this.#spec.getShare ? 'get' : 'set';
    request.count = request.kind === 'get' ? this.#spec.keysPerGet : 1;
    for (let index = 0; index < request.count; index += 1) request.ids[index] = this.#pick();
    return true;
  }

  #pick(): number {
    return this.#zipf?.draw(this.#random) ?? this.#random.below(this.#spec.items);
  }
}
