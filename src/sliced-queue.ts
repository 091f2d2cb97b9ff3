/**
 * Calls that are made in their order, some in each turn of the event loop: as many as begin within a slice of time. Those that
 * come while it runs have to wait for the next turn, or one that comes again and again would have turn after turn.
 */
export class SlicedQueue {
  readonly #sliceMs: number;
  #calls: (() => void)[] = [];
  #next = 0;
  #scheduled = false;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Calls that are still to be made. */
  get length(): number {
    return this.#calls.length - this.#next;
  }

  add(call: () => void): void {
    this.#calls.push(call);
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
    const endsAt = performance.now() + this.#sliceMs;
    const last = this.#calls.length;
    while (this.#next < last) {
      this.#calls[this.#next++]!();
      if (performance.now() >= endsAt) break;
    }
    // Moving those that are left costs nothing as long as they are no more than those gone.
    if (2 * this.#next >= this.#calls.length) {
      this.#calls = this.#calls.slice(this.#next);
      this.#next = 0;
    }
  }
}
