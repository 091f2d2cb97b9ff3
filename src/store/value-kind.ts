/** Upper bounds, in seconds to live, of the kinds of values that share segments. */
const KIND_BOUNDS = [60, 15 * 60, 4 * 3600, 2 * 86_400, 12 * 86_400];
/** Values that never expire, and those that live longer than the last bound, are kinds of their own. */
const LONG = KIND_BOUNDS.length;
const NEVER = LONG + 1;
/** How many kinds there are. */
export const KINDS: number = NEVER + 1;

/** Which values share segments: those with like times to live, so that they die together. */
export function valueKind(now: number, expiresAt: number): number {
  if (expiresAt === 0) return NEVER;
  const ttl = expiresAt - now;
  const kind = KIND_BOUNDS.findIndex((bound) => ttl <= bound);
  return kind < 0 ? LONG : kind;
}
