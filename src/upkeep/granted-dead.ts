/** Growth that is no hurry yet where something is granted, as a share of what is alive. */
const GROWTH_SHARE = 0.15;

/**
 * What is dead of a log beyond a proportion, and did not come from writing more: items were deleted or expired, many at once. The
 * log grows no further by itself, so that what is dead beyond the proportion may take its time, until it is given back.
 */
export class GrantedDead {
  readonly #proportion: number;
  /** Bytes the log took when it was last within the proportion, and the least since. */
  #bytes = Number.POSITIVE_INFINITY;
  /** From when something is granted until all is given back, or more is written. */
  #isGranting = false;

  /** `proportion` = times as much dead as alive that is nothing to hurry for. */
  constructor(proportion: number) {
    this.#proportion = proportion;
  }

  /**
   * Notes how many bytes are dead and alive now, and returns how many of the dead ones are granted. `passing` = those of the dead ones
   * that giving back makes for the moment: copies come before what they are copied from goes.
   */
  note(dead: number, live: number, passing: number): number {
    const bytes = dead + live - passing;
    const isWithin = dead <= this.#proportion * live;
    this.#bytes = isWithin ? bytes : Math.min(this.#bytes, bytes);
    const granted = Math.max(0, this.#bytes - (1 + this.#proportion) * live);
    if (granted > 0) this.#isGranting = true;
    else if (isWithin || bytes - this.#bytes > GROWTH_SHARE * live) this.#isGranting = false;
    return this.#isGranting ? Math.min(dead, granted + passing + GROWTH_SHARE * live) : 0;
  }
}
