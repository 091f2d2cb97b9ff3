import { SLICE_MS, SlicedQueue } from '../sliced-queue.ts';

/** Values, data blocks and replies above this are large: they wait when the memory for connections, or the turn, is used up. */
export const LARGE_BYTES: number = 16 * 1024;

/**
 * Bytes of long replies that are sent in one turn of the event loop, above which who asks for something large, or has more to be sent,
 * stands in line.
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
  readonly #waiting: SlicedQueue;
  #sentBytes = 0;

  /** `waiting` may be shared with others who do long work: they stand in the same line. */
  constructor(waiting: SlicedQueue = new SlicedQueue(SLICE_MS)) {
    this.#waiting = waiting;
  }

  /** True when so many wait that others with much to do should stand in line too. */
  get isCrowded(): boolean {
    return this.#waiting.length > CROWD;
  }

  /** True when who asks for something large should stand in line: enough was sent in this turn of the event loop. */
  get isSpent(): boolean {
    return this.#sentBytes >= AT_ONCE_BYTES;
  }

  /** Notes bytes of a long reply that were sent. */
  spend(bytes: number): void {
    // After all that this turn has to read.
    if (this.#sentBytes === 0) setImmediate(() => (this.#sentBytes = 0));
    this.#sentBytes += bytes;
  }

  /** Calls `goOn` when it is its turn. It may wait again within that. */
  wait(goOn: () => void): void {
    this.#waiting.add(goOn);
  }

  /** The same for what was begun and holds memory until it is over: it comes before those that have not begun. */
  goOn(call: () => void): void {
    this.#waiting.addBegun(call);
  }
}
