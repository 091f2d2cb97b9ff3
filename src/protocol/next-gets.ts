const GET = 0x20_74_65_67; // 'get ', last byte first
const SPACE = 0x20;
/** More than any key has. */
const WORD_MAX = 256;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Finds the keys of those commands `get KEY` that come next in a pipeline, and stops at whatever else there is: a guess at
 * what will be asked for, not a parse. Leaves their places in `starts` and `ends`, `most` of them at most, and returns how many.
 */
export function nextGets(bytes: Buffer, start: number, end: number, most: number, starts: number[], ends: number[]): number {
  let count = 0;
  let at = start;
  while (count < most && at + 4 < end && (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) === GET) {
    let stop = at + 4;
    const last = Math.min(end, stop + WORD_MAX);
    while (stop < last && bytes[stop]! > SPACE) stop++;
    const next = bytes[stop] === CR ? stop + 1 : stop;
    if (stop === at + 4 || next >= end || bytes[next] !== LF) break;
    starts[count] = at + 4;
    ends[count] = stop;
    count++;
    at = next + 1;
  }
  return count;
}
