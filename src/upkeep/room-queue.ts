/** Longest that a store is held. */
const HOLD_MS = 1000;
/** Milliseconds between two looks whether there is room. */
const LOOK_MS = 10;
/**
 * After one was held and nothing was given up meanwhile, so long none is, unless one fits: where nothing can be evicted, waiting
 * only keeps clients from their answer.
 */
const VAIN_MS = 10_000;

interface Held {
  readonly bytes: number;
  readonly untilMs: number;
  /** What had been given up when it came. */
  readonly givenUp: number;
  readonly done: () => void;
}

/**
 * Stores that are held back because there is no room just now, in their order: who writes faster than items can be
 * evicted is slowed down to that, instead of being refused. Each is told to go on when it fits, or after a second:
 * then it is refused.
 */
export class RoomQueue {
  readonly #fits: (bytes: number) => boolean;
  readonly #givenUp: () => number;
  readonly #queue: Held[] = [];
  #timer: NodeJS.Timeout | undefined;
  #vainUntilMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** Stores that were held since the start. */
  held = 0;

  /** `fits` tells whether so many bytes may be stored now, and has room made if not; `givenUp` how much was given up for that so far. */
  constructor(fits: (bytes: number) => boolean, givenUp: () => number) {
    this.#fits = fits;
    this.#givenUp = givenUp;
  }

  /** Stores that are held now. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Holds a store of so many bytes if it does not fit: then `done` is called once, later, never within the call. False when it
   * is not held: it fits, or to wait would be in vain.
   */
  hold(bytes: number, done: () => void): boolean {
    // Behind those who came before, or these would wait for ever.
    if (this.#queue.length === 0 && this.#fits(bytes)) {
      this.#vainUntilMs = Number.NEGATIVE_INFINITY;
      return false;
    }
    const nowMs = performance.now();
    if (this.#stopped || nowMs < this.#vainUntilMs) return false;
    this.#queue.push({ bytes, untilMs: nowMs + HOLD_MS, givenUp: this.#givenUp(), done });
    this.held++;
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return true;
  }

  /** Lets all go on, and holds none any more. */
  stop(): void {
    this.#stopped = true;
    this.#look();
  }

  #look(): void {
    const nowMs = performance.now();
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const isOver = nowMs >= first.untilMs;
      // What was let go before has stored by now, so the next is asked about what is left.
      if (!isOver && !this.#stopped && nowMs >= this.#vainUntilMs && !this.#fits(first.bytes)) break;
      // Where room is being made, if slowly, the next one may get it.
      if (isOver && first.givenUp === this.#givenUp() && !this.#fits(first.bytes)) this.#vainUntilMs = nowMs + VAIN_MS;
      this.#queue.shift();
      first.done();
    }
    if (this.#queue.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
