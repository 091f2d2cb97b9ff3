/** Where the time comes from; tests move it. */
export interface Clock {
  /** Unix time in whole seconds, from 1 to LATEST_NOW. */
  now(): number;
}

/** The latest time that can be stored: times have 32 bits, without a sign, which is until 2106. */
export const LATEST_TIME = 0xffff_ffff;

/** The latest that it can be: so that there always is a later one. */
export const LATEST_NOW: number = LATEST_TIME - 1;

/**
 * The time of the machine. One that is set to before 1970 or after 2106 counts as the nearest time that there is: no
 * number derived from it is one that cannot be stored, or 0, which means never.
 */
export const systemClock: Clock = { now: () => Math.min(Math.max(Math.floor(Date.now() / 1000), 1), LATEST_NOW) };

/**
 * A clock that can be held: for commands that came together it is one time, and looked up once. V8 calls its runtime
 * for each look: a get took two, a get of 16 keys seventeen, 4 % of its CPU (`npm run bench -- --compare 02b26e7 --workloads
 * multiget-16 --rounds 4`).
 */
export class HeldClock implements Clock {
  readonly #clock: Clock;
  /** 0 = not held. */
  #held = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#held === 0 ? this.#clock.now() : this.#held;
  }

  /** From now on it is the time that it is now. To be followed by `release`, in the same turn of the event loop. */
  hold(): void {
    this.#held = this.#clock.now();
  }

  release(): void {
    this.#held = 0;
  }
}
