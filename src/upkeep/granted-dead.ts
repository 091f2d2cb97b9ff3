/**
 * What is dead of a log beyond a proportion, and did not come from writing more: items were deleted or expired, many at once. The
 * log grows no further by itself, so that what is dead beyond the proportion may take its time, until it is given back.
 */
export class GrantedDead {
  readonly #proportion: number;
  /** Bytes the log took when it was last within the proportion, and the least since. */
  #bytes = Number.POSITIVE_INFINITY;

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
    this.#bytes = dead <= this.#proportion * live ? bytes : Math.min(this.#bytes, bytes);
    const granted = this.#bytes - (1 + this.#proportion) * live;
    return granted > 0 ? granted + passing : 0;
  }
}
