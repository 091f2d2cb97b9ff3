import { setTimeout as delay } from 'node:timers/promises';

/** Time as the daemon sees it; given from outside, so that tests own it. */
export interface Clock {
  /** Milliseconds that only ever grow; for durations. */
  nowMs(): number;
  /** Unix seconds, for showing. */
  unixSeconds(): number;
  /** Resolves after `ms`, or at once when the signal aborts: the caller looks at the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

// Node's timers turn a longer delay into 1 ms.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  unixSeconds: () => Math.floor(Date.now() / 1000),
  async pause(ms, signal) {
    try {
      await delay(Math.min(ms, LONGEST_TIMER_MS), undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};
