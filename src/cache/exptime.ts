import { LATEST_TIME } from '../clock.ts';
import type { Item } from '../item.ts';

/** Seconds up to which an exptime counts from now; above, it is a Unix time (protocol.txt, "Expiration times"). */
export const REALTIME_MAXDELTA: number = 60 * 60 * 24 * 30;

/** What a client's exptime means: never expires, is gone at once, or a Unix time. */
export const NEVER = 0;
export const AT_ONCE = -1;

/**
 * Turns a client's exptime into Unix seconds, NEVER or AT_ONCE. The only place that knows the rule:
 * 0 = never, negative = gone at once, up to 30 days = from now, more = absolute, and gone at once if past.
 */
export function expiryOf(exptime: number, now: number): number {
  if (exptime === 0) return NEVER;
  if (exptime < 0) return AT_ONCE;
  const expiresAt = exptime <= REALTIME_MAXDELTA ? Math.min(now + exptime, LATEST_TIME) : exptime;
  return expiresAt <= now ? AT_ONCE : expiresAt;
}

export function isExpired(item: Item, now: number): boolean {
  return item.expiresAt !== 0 && item.expiresAt <= now;
}
