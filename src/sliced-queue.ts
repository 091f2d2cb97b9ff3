import { Fifo } from './fifo.ts';

/** Milliseconds of one turn of the event loop for those who stand in line, all together. */
export const SLICE_MS = 2;

/**
 * Calls that are made in their order, some in each turn of the event loop: as many as begin within a slice of time. Those that
 * come while it runs have to wait for the next turn, or one that comes again and again would have turn after turn.
 */
export class SlicedQueue {
  /** Milliseconds of each turn. */
  sliceMs: number;
  readonly #begun = new Fifo<() => void>();
  readonly #calls = new Fifo<() => void>();
  #scheduled = false;

  constructor(sliceMs: number) {
    this.sliceMs = sliceMs;
  }

  /** Calls that are still to be made. */
  get length(): number {
    return this.#begun.length + this.#calls.length;
  }

  add(call: () => void): void {
    this.#calls.push(call);
    this.#schedule();
  }

  /** Adds the rest of something that holds memory until it is over: it comes before all that has not begun. */
  addBegun(call: () => void): void {
    this.#begun.push(call);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      try {
        this.#run();
      } finally {
        // Also behind one that threw.
        if (this.length > 0) this.#schedule();
      }
    });
  }

  #run(): void {
    const endsAt = performance.now() + this.sliceMs;
    let begun = this.#begun.length;
    for (let calls = this.length; calls > 0; calls--) {
      const queue = begun-- > 0 ? this.#begun : this.#calls;
      queue.shift()?.();
      if (performance.now() >= endsAt) break;
    }
  }
}
