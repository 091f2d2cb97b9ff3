/** Time as this layer needs it; tests hand in a clock they move by hand. */
export interface Timers {
  /** Milliseconds on a clock that only goes forward. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

/** The process's own clock. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
