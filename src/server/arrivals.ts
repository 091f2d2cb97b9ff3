import { SlicedQueue } from '../sliced-queue.ts';

/** Milliseconds of a turn of the event loop from which on many clients that connect wait long. */
const LONG_TURN_MS = 1;
/** Milliseconds of a turn that are left for requests while clients connect. */
const SLICE_MS = 0.25;
/** Milliseconds after which all requests are executed at once again, to see whether turns are still long. */
const HOLD_MS = 100;

/**
 * Clients that connect while the server is busy. libuv accepts one of them in a turn of the event loop, and a turn lasts as long as
 * all requests that came meanwhile: of 1,000 clients that connect at once, and ask again as soon as they are answered, the last had its
 * first answer after 3.9 s, and after 0.3 with this (`npm run bench:rush`). While one comes in each turn, and turns are long, requests
 * stand in line, and few of them are executed in each.
 */
export class Arrivals {
  readonly #line = new SlicedQueue(Number.POSITIVE_INFINITY);
  readonly #nowMs: () => number;
  /** Whether one came in this turn of the event loop, and in the one before. */
  #isThisTurn = false;
  #isLastTurn = false;
  #lastMs = 0;
  #endsMs = 0;
  #isRush = false;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** True while requests should stand in line, for those who connect. */
  get isRush(): boolean {
    return this.#isRush;
  }

  /** A client was accepted. */
  come(): void {
    const now = this.#nowMs();
    if (this.#isLastTurn && now - this.#lastMs >= LONG_TURN_MS) {
      this.#setRush(true);
      this.#endsMs = now + HOLD_MS;
    }
    this.#lastMs = now;
    if (this.#isThisTurn) return;
    this.#isThisTurn = true;
    if (!this.#isLastTurn) this.#watchTurn();
  }

  /** Calls `goOn` when it is its turn. */
  wait(goOn: () => void): void {
    this.#line.add(goOn);
  }

  /** Who still stands in line afterwards is served in one turn, as all are then. */
  #setRush(isRush: boolean): void {
    this.#isRush = isRush;
    this.#line.sliceMs = isRush ? SLICE_MS : Number.POSITIVE_INFINITY;
  }

  #watchTurn(): void {
    // After all that this turn has to read.
    setImmediate(() => {
      this.#isLastTurn = this.#isThisTurn;
      this.#isThisTurn = false;
      if (!this.#isLastTurn || this.#nowMs() >= this.#endsMs) this.#setRush(false);
      if (this.#isLastTurn) this.#watchTurn();
    });
  }
}
