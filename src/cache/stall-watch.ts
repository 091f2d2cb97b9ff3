import type { Store } from '../store/store.ts';

/** Milliseconds that a group may take to be written before the disk counts as stalled: hundreds of times what it takes as a rule. */
const STALL_MS = 250;

/** Knows whether the disk takes writes at all just now. */
export class StallWatch {
  readonly #store: Pick<Store, 'hasUncommitted' | 'settledGroup'>;
  #settled = -1;
  #sinceMs = 0;

  constructor(store: Pick<Store, 'hasUncommitted' | 'settledGroup'>) {
    this.#store = store;
  }

  /**
   * True while what was given to the disk has been waiting for long. A read that blocks could then hold up the whole
   * process for as long as the disk does. Counts from the first time it is asked about a group.
   */
  get isStalled(): boolean {
    const { hasUncommitted, settledGroup } = this.#store;
    if (!hasUncommitted || settledGroup !== this.#settled) {
      this.#settled = hasUncommitted ? settledGroup : -1;
      this.#sinceMs = performance.now();
      return false;
    }
    return performance.now() - this.#sinceMs >= STALL_MS;
  }
}
