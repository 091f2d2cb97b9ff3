/** The first wait before connecting again: short, since most outages are restarts. */
export const FIRST_WAIT_MS = 100;

/** The longest wait: a server that comes back is found within this time. */
export const LONGEST_WAIT_MS = 10_000;

/**
 * Milliseconds to wait before attempt number `attempt` (from 0): doubling, between the two bounds.
 * `random` is from [0, 1): up to half of the wait is left to chance, so that many daemons do not
 * come back to a restarted server at the same moment.
 */
export function backOffMs(attempt: number, random: number): number {
  // The exponent is capped, so that a week of failures does not overflow into Infinity * 0.
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 16));
  return Math.max(FIRST_WAIT_MS, Math.round(full * (0.5 + random / 2)));
}
