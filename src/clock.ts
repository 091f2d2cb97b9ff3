/** Where the time comes from; tests move it. */
export interface Clock {
  /** Unix time in whole seconds. */
  now(): number;
}

export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) };
