/**
 * Upper bounds, in seconds to live, of the kinds of values that share segments. Fine where values live for seconds: a segment goes when
 * the last of its values does, so a kind of 0 to 60 s would hold what lives for 1 s sixty times as long.
 */
const KIND_BOUNDS = [8, 15, 30, 45, 60, 15 * 60, 4 * 3600, 2 * 86_400, 12 * 86_400];
/** Values that never expire, and those that live longer than the last bound, are kinds of their own. */
const LONG = KIND_BOUNDS.length;
export const NEVER: number = LONG + 1;
/** How many kinds there are. */
export const KINDS: number = NEVER + 1;

/** Part of its kind's bound for which a segment takes values: so much longer than its last value its first one stays. */
const FILL_SHARE = 1 / 16;
/** The same of those that live longest, which may be a month: 9 hours. */
const LONG_FILL_SECONDS = (12 * 86_400) / 32;

/** Which values share segments: those with like times to live, so that they die together. */
export function valueKind(now: number, expiresAt: number): number {
  if (expiresAt === 0) return NEVER;
  const ttl = expiresAt - now;
  const kind = KIND_BOUNDS.findIndex((bound) => ttl <= bound);
  return kind < 0 ? LONG : kind;
}

/** Seconds for which a segment of a kind takes values; Infinity = until it is full. */
export function fillSeconds(kind: number): number {
  if (kind === NEVER) return Number.POSITIVE_INFINITY;
  const bound = KIND_BOUNDS[kind];
  return bound === undefined ? LONG_FILL_SECONDS : Math.max(1, Math.floor(bound * FILL_SHARE));
}
