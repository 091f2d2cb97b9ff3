/** Milliseconds without much change after which something is at rest. */
const REST_MS = 30_000;
/** Change that does not count, as a share of the whole. */
const UNREST_SHARE = 0.01;

/** Tells when a count has stopped growing: what is dead now is then all that there will be. */
export class RestWatch {
  #seen = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** Notes the count at a time, and says whether it has been at rest. `whole` = what a change is measured against. */
  note(count: number, whole: number, nowMs: number): boolean {
    if (this.#sinceMs === Number.NEGATIVE_INFINITY || Math.abs(count - this.#seen) > UNREST_SHARE * whole) {
      this.#seen = count;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs >= REST_MS;
  }
}
