/** Milliseconds that those who wait for their turn get together in one turn of the event loop. */
const SLICE_MS = 2;
/** So many waiting are a crowd: together they have some milliseconds of work. */
const CROWD = 8;

/**
 * Connections that have more to execute than one turn allows. Each gets its next turn in the order in which they came, a slice
 * of time between two looks at what clients have sent: who asks for little waits for a few of them only, however many ask for
 * much.
 */
export class TurnQueue {
  #waiting: (() => void)[] = [];
  #next = 0;
  #scheduled = false;

  /** True when so many wait that others with much to do should stand in line too. */
  get isCrowded(): boolean {
    return this.#waiting.length - this.#next > CROWD;
  }

  /** Calls `goOn` when it is its turn. It may wait again within that. */
  wait(goOn: () => void): void {
    this.#waiting.push(goOn);
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
        if (this.#next < this.#waiting.length) this.#schedule();
      }
    });
  }

  #run(): void {
    const endsAt = performance.now() + SLICE_MS;
    // Not those who come meanwhile: one alone would have turn after turn.
    const last = this.#waiting.length;
    while (this.#next < last) {
      this.#waiting[this.#next++]!();
      if (performance.now() >= endsAt) break;
    }
    // Moving those that are left costs nothing as long as they are no more than those gone.
    if (2 * this.#next >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
  }
}
