/** Large pieces that are read in one turn of the event loop: 0.1 to 0.5 ms, by the size of a read (`accept.ts`). */
const READS = 16;

/** Who sends something large, piece by piece. */
export interface LargeReader {
  /** Called when it may be read from again. */
  readOn(): void;
}

/**
 * Connections from which large requests are arriving. All that have sent something would be read from in one turn of the event loop,
 * and a client with a small request be answered once in as many reads as there are uploads: here a thousand of them took 6 to
 * 8 ms. So some are read from in each turn, and the others after them.
 */
export class ReadQueue {
  #waiting: LargeReader[] = [];
  #reads = 0;
  #scheduled = false;

  /** Notes a piece that was read. False when there were enough in this turn: the reader is to pause until it is called. */
  note(reader: LargeReader): boolean {
    this.#schedule();
    if (++this.#reads <= READS) return true;
    this.#waiting.push(reader);
    return false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After all that this turn has to read.
    setImmediate(() => {
      this.#scheduled = false;
      this.#reads = 0;
      if (this.#waiting.length > 0) this.#release();
    });
  }

  #release(): void {
    const next = this.#waiting.slice(0, READS);
    this.#waiting = this.#waiting.slice(READS);
    if (this.#waiting.length > 0) this.#schedule();
    for (const reader of next) reader.readOn();
  }
}
