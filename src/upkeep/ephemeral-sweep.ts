import type { Residency } from '../cache/residency.ts';
import type { Store } from '../store/store.ts';

/** Items forgotten in one go: about a millisecond. */
const STEP_ITEMS = 512;

/**
 * Gives back the memory of items in memory alone that are expired or flushed. Reads miss them in any case. Nothing is
 * written, so nobody waits: between two steps others get their turn.
 */
export class EphemeralSweep {
  readonly #residency: Residency;
  readonly #store: Store;
  #next: NodeJS.Immediate | undefined;

  constructor(residency: Residency, store: Store) {
    this.#residency = residency;
    this.#store = store;
  }

  /** Begins to sweep, unless a sweep is under way. */
  start(): void {
    if (this.#next === undefined) this.#step();
  }

  stop(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
  }

  #step(): void {
    const keys = this.#store.takeDeadEphemeral(STEP_ITEMS);
    for (const key of keys) this.#residency.gone(key);
    this.#next = keys.length < STEP_ITEMS ? undefined : setImmediate(() => this.#step());
  }
}
