import type { Residency } from '../cache/residency.ts';
import type { Store } from '../store/store.ts';
import { calmShare, Pauses } from './pauses.ts';

/** Items looked at per step. */
const STEP_ITEMS = 32;

/**
 * Deletes what flush_all made dead, in the background, in steps that each wait for their commit and then rest. The
 * watermark alone hides flushed items; this only makes dead weight of them, which the collector and compaction
 * give back. Interrupted by the end of the process it starts again: what is already deleted costs little.
 */
export class FlushReclaim {
  readonly #residency: Residency;
  readonly #store: Store;
  readonly #busyMs: () => number;
  readonly #pauses = new Pauses();
  #running = false;
  /** The key that the pass under way has come to; undefined = before the first, or there is none. */
  #cursor: string | undefined;
  #scanned = 0;
  /** Items deleted since the process started. */
  deleted = 0;

  /** `busyMs` = by how much the event loop was late lately. */
  constructor(residency: Residency, store: Store, busyMs: () => number = () => 0) {
    this.#residency = residency;
    this.#store = store;
    this.#busyMs = busyMs;
  }

  get isNeeded(): boolean {
    const { flushCas, flushDone } = this.#store.state;
    return flushDone < flushCas;
  }

  get running(): boolean {
    return this.#running;
  }

  /** How far the pass over all items has come: items looked at in it or else in the last, and its key (a latin1 string) if one is under way. */
  get progress(): { readonly scanned: number; readonly cursor: string | undefined } {
    return { scanned: this.#scanned, cursor: this.#cursor };
  }

  /** Runs until nothing flushed is left, or `signal` ends it. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.isNeeded && !signal.aborted) {
        const upTo = this.#store.state.flushCas;
        // What was stored before the flush may still be on its way to where a scan sees it.
        await this.#store.inLevel();
        await this.#pass(upTo, signal);
        if (signal.aborted) return;
        this.#store.changeState({ flushDone: upTo });
        await this.#store.inLevel();
        await this.#store.sync();
      }
    } finally {
      this.#cursor = undefined;
      this.#running = false;
    }
  }

  async #pass(upTo: number, signal: AbortSignal): Promise<void> {
    this.#cursor = undefined;
    this.#scanned = 0;
    while (!signal.aborted) {
      const began = performance.now();
      const { found, next } = await this.#store.scan('', this.#cursor, STEP_ITEMS);
      this.#scanned += found.length;
      const dead = found.filter(({ item }) => item.cas <= upTo).map(({ key }) => key);
      if (dead.length > 0) {
        await this.#residency.withKnown(dead, () => {
          for (const key of dead) {
            const item = this.#residency.currentOf(key);
            if (item == null || item.cas > upTo) continue;
            this.#store.remove(key, item);
            this.#residency.gone(key);
            this.deleted++;
            this.#store.changeState({ reclaimedBytes: this.#store.state.reclaimedBytes + key.length + item.length });
          }
        });
        await this.#store.inLevel();
      }
      this.#cursor = next;
      if (next === undefined) return;
      await this.#pauses.after({ tookMs: performance.now() - began, items: found.length }, calmShare(this.#busyMs()), signal);
    }
  }
}
