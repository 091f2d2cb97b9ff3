import { SlicedQueue } from '../sliced-queue.ts';

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
  readonly #waiting = new SlicedQueue(SLICE_MS);

  /** True when so many wait that others with much to do should stand in line too. */
  get isCrowded(): boolean {
    return this.#waiting.length > CROWD;
  }

  /** Calls `goOn` when it is its turn. It may wait again within that. */
  wait(goOn: () => void): void {
    this.#waiting.add(goOn);
  }
}
