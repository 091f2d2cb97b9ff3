/**
 * When requests are due that come at a fixed rate, whatever the server does. They come in small bursts, at the ticks of
 * a clock that the generator can keep; a request belongs to the first tick at or after its exact time.
 */
export class RateSchedule {
  readonly #startMs: number;
  readonly #gapMs: number;
  readonly #tickMs: number;
  #taken = 0;

  /** The first request is due at `startMs`. `perSecond` and `tickMs` are above 0. */
  constructor(perSecond: number, startMs: number, tickMs: number) {
    this.#startMs = startMs;
    this.#gapMs = 1000 / perSecond;
    this.#tickMs = tickMs;
  }

  /** When the next request is due, in ms. */
  get nextMs(): number {
    return this.#startMs + Math.ceil((this.#taken * this.#gapMs) / this.#tickMs) * this.#tickMs;
  }

  /** Takes the next request, if it is due at `nowMs`. Returns when it was due. */
  take(nowMs: number): number | undefined {
    const dueMs = this.nextMs;
    if (dueMs > nowMs) return undefined;
    this.#taken += 1;
    return dueMs;
  }
}
