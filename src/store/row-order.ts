/** Keys that are looked at to find what all begin with. */
const SAMPLES = 16;
/** Characters behind that by which keys are put in order: what a number, with the index beside it, can tell apart. */
const CHARACTERS = 5;
/** Of each character so many are told apart: those of ASCII that are seen, and others as the nearest of them. */
const ALPHABET = 96;
const FIRST = 0x20;
/** Keys of which a number can hold the index. */
const MOST_KEYS = 2 ** 20;

/**
 * The indices of keys (latin1) about in the order of the keys; of equal ones in the order given.
 *
 * LevelDB finds the place of a row among all that it has in memory step by step, and where the one before was near the processor's
 * caches hold most of the way. So any order is right, and the better the cheaper. Numbers are sorted, not strings, for a third of the
 * time (`npm run bench -- --micro`).
 */
export function nearKeyOrder(keys: readonly string[]): Float64Array {
  const order = new Float64Array(keys.length);
  if (keys.length > MOST_KEYS) return order.map((_, i) => i);
  const from = commonLength(keys);
  for (let i = 0; i < order.length; i++) order[i] = rankOf(keys[i]!, from) * MOST_KEYS + i;
  order.sort();
  // What `%` comes to, which V8 computes in a function of its own for such numbers.
  for (let i = 0; i < order.length; i++) order[i]! -= Math.floor(order[i]! / MOST_KEYS) * MOST_KEYS;
  return order;
}

/** How many characters some of the keys begin with that are the same in each. */
function commonLength(keys: readonly string[]): number {
  const step = Math.max(1, Math.floor(keys.length / SAMPLES));
  const first = keys[0] ?? '';
  let common = first.length;
  for (let i = step; i < keys.length; i += step) {
    const key = keys[i]!;
    let same = 0;
    while (same < common && key.charCodeAt(same) === first.charCodeAt(same)) same++;
    common = same;
  }
  return common;
}

function rankOf(key: string, from: number): number {
  let rank = 0;
  for (let i = from; i < from + CHARACTERS; i++) {
    const code = i < key.length ? key.charCodeAt(i) - FIRST : 0;
    rank = rank * ALPHABET + Math.max(0, Math.min(ALPHABET - 1, code));
  }
  return rank;
}
