const GET = 0x20_74_65_67; // 'get ', last byte first
const SET = 0x20_74_65_73; // 'set '
const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** More than any key has. */
const WORD_MAX = 256;
/** Digits of a number: more than the length of a value has that ends in the same input. */
const DIGITS_MAX = 10;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Finds the keys of those commands `get KEY` and `set KEY FLAGS EXPTIME LENGTH` that come next in a pipeline, and stops at whatever
 * else there is: a guess at what will be asked for, not a parse. Leaves their places in `starts` and `ends`, `most` of them at most,
 * and returns how many.
 */
export function nextKeys(bytes: Buffer, start: number, end: number, most: number, starts: number[], ends: number[]): number {
  let count = 0;
  let at = start;
  while (count < most && at + 4 < end) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    if (word !== GET && word !== SET) break;
    const stop = endOfWord(bytes, at + 4, end);
    if (stop === at + 4) break;
    const next = word === GET ? endOfLine(bytes, stop, end) : endOfSet(bytes, stop, end);
    if (next < 0) break;
    starts[count] = at + 4;
    ends[count] = stop;
    count++;
    at = next;
  }
  return count;
}

function endOfWord(bytes: Buffer, start: number, end: number): number {
  const last = Math.min(end, start + WORD_MAX);
  let at = start;
  while (at < last && bytes[at]! > SPACE) at++;
  return at;
}

/** Where the next line begins, if one ends at `at`, or -1. */
function endOfLine(bytes: Buffer, at: number, end: number): number {
  const next = bytes[at] === CR ? at + 1 : at;
  return next < end && bytes[next] === LF ? next + 1 : -1;
}

/** Where the next command begins behind a set whose key ends at `stop`, or -1. */
function endOfSet(bytes: Buffer, stop: number, end: number): number {
  const flags = endOfNumber(bytes, stop, end, false);
  const exptime = endOfNumber(bytes, flags, end, true);
  const length = endOfNumber(bytes, exptime, end, false);
  const block = length < 0 ? -1 : endOfLine(bytes, length, end);
  if (block < 0) return -1;
  let value = 0;
  for (let at = exptime + 1; at < length; at++) value = 10 * value + bytes[at]! - ZERO;
  const next = block + value + 2;
  return next <= end ? next : -1;
}

/** Where a space and a number end that begin at `from`, or -1, as for a `from` of -1. */
function endOfNumber(bytes: Buffer, from: number, end: number, maySign: boolean): number {
  if (from < 0 || from >= end || bytes[from] !== SPACE) return -1;
  const first = maySign && bytes[from + 1] === MINUS ? from + 2 : from + 1;
  const last = Math.min(end, first + DIGITS_MAX);
  let at = first;
  while (at < last && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  return at === first ? -1 : at;
}
