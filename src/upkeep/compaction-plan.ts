import type { LevelTable } from '../store/level-tables.ts';

/** Table bytes of a range that is compacted in one step: what keeps LevelDB's only compaction thread busy for under a second. */
const RANGE_BYTES = 16 * 2 ** 20;

/** A range of item keys, and how much of it is dead. */
export interface DeadRange {
  /** First key; undefined = from the first there is. */
  readonly from: string | undefined;
  /** Key to end before; undefined = to the last. */
  readonly to: string | undefined;
  /** Bytes of tables in it, about. */
  readonly bytes: number;
  /** Bytes of these that are dead, an estimate. */
  readonly dead: number;
}

/** What is known of dead rows. */
export interface DeadKnowledge {
  /** Dead bytes of all tables, an estimate. */
  readonly dead: number;
  /** Dead bytes noted where they died: in all, and in a range. An upper bound: LevelDB drops some by itself. */
  readonly noted: number;
  notedBetween(from: string | undefined, to: string | undefined): number;
}

/**
 * Cuts the key space where tables begin into ranges of about `rangeBytes`, and estimates how much of each is dead: what was noted
 * there, scaled down where more was noted than there can be; and what nobody noted (it died before the start) as evenly
 * as the tables lie.
 */
export function planRanges(tables: readonly LevelTable[], known: DeadKnowledge, rangeBytes: number = RANGE_BYTES): DeadRange[] {
  const cuts = cutsOf(tables, rangeBytes);
  const ranges = cuts.map((from, i) => ({ from, to: cuts[i + 1], bytes: 0 }));
  let total = 0;
  for (const table of tables) {
    total += table.bytes;
    const first = rangeOf(cuts, table.from);
    const last = Math.max(first, rangeOf(cuts, table.to));
    for (let i = first; i <= last; i++) ranges[i]!.bytes += table.bytes / (last - first + 1);
  }
  const scale = known.noted > known.dead ? known.dead / known.noted : 1;
  const unknown = Math.max(0, known.dead - known.noted);
  return ranges.map((range) => {
    const share = total === 0 ? 0 : range.bytes / total;
    const dead = known.notedBetween(range.from, range.to) * scale + unknown * share;
    return { ...range, dead: Math.min(range.bytes, dead) };
  });
}

/** Where ranges begin; the first is undefined. Tables of level 0 lie across each other and cut nothing. */
function cutsOf(tables: readonly LevelTable[], rangeBytes: number): (string | undefined)[] {
  const sorted = tables.filter(({ level }) => level > 0).toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const cuts: (string | undefined)[] = [undefined];
  let bytes = 0;
  let last = '';
  for (const table of sorted) {
    if (bytes >= rangeBytes && table.from > last) {
      cuts.push(table.from);
      last = table.from;
      bytes = 0;
    }
    bytes += table.bytes;
  }
  return cuts;
}

/** Index of the range that a key lies in. */
function rangeOf(cuts: readonly (string | undefined)[], key: string): number {
  let low = 1;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cuts[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
