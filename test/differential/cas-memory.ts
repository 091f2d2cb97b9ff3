import type { CasSource } from './sequence.ts';

/** No server gives it out. */
const NEVER_SHOWN = '9999999999999999';

/**
 * The cas uniques that one server has shown in the course of a sequence.
 *
 * Servers count them differently, so one is shown as `#N`, N being its rank of appearance. 0 is no item's.
 */
export class CasMemory {
  readonly #ranks = new Map<string, number>();
  readonly #last = new Map<string, string>();
  readonly #first = new Map<string, string>();

  /** Remembers a cas unique of a key, and returns what stands for it. */
  show(key: string | undefined, cas: string): string {
    if (cas === '0') return '0';
    if (key !== undefined) {
      if (!this.#first.has(key)) this.#first.set(key, cas);
      this.#last.set(key, cas);
    }
    const rank = this.#ranks.get(cas) ?? this.#ranks.size;
    this.#ranks.set(cas, rank);
    return `#${rank}`;
  }

  /** The cas unique that a client sends; one that no item has when none was shown. */
  recall({ casOf, which }: CasSource): string {
    return (which === 'last' ? this.#last : this.#first).get(casOf) ?? NEVER_SHOWN;
  }
}
