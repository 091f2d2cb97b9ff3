import { SlicedQueue } from '../sliced-queue.ts';

/** Milliseconds that those who wait for their turn get together in one turn of the event loop. */
const SLICE_MS = 2;
/**
 * Bytes of large values that are sent in one turn of the event loop at once, before their askers stand in line. To send one of 1 MB
 * takes the kernel a millisecond and more.
 */
const AT_ONCE_BYTES = 512 * 1024;
/** So many waiting are a crowd: together they have some milliseconds of work. */
const CROWD = 8;

/**
 * Connections that have more to execute than one turn allows. Each gets its next turn in the order in which they came, a slice
 * of time between two looks at what clients have sent: who asks for little waits for a few of them only, however many ask for
 * much.
 */
export class TurnQueue {
  readonly #waiting = new SlicedQueue(SLICE_MS);
  #sentBytes = 0;

  /** True when so many wait that others with much to do should stand in line too. */
  get isCrowded(): boolean {
    return this.#waiting.length > CROWD;
  }

  /** True when who asks for something large should stand in line: enough was sent in this turn of the event loop to those who did not. */
  get isSpent(): boolean {
    return this.#sentBytes >= AT_ONCE_BYTES;
  }

  /** Notes bytes of a large value that were sent to who did not stand in line. */
  spend(bytes: number): void {
    // After all that this turn has to read.
    if (this.#sentBytes === 0) setImmediate(() => (this.#sentBytes = 0));
    this.#sentBytes += bytes;
  }

  /** Calls `goOn` when it is its turn. It may wait again within that. */
  wait(goOn: () => void): void {
    this.#waiting.add(goOn);
  }
}
