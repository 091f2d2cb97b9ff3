import { ITEM } from './keys.ts';

/** A table file of LevelDB that holds items. */
export interface LevelTable {
  readonly level: number;
  readonly bytes: number;
  /** The first and last key of an item in it, about: keys with a backslash may read differently. */
  readonly from: string;
  readonly to: string;
}

const LEVEL = /^--- level (\d+) ---$/;
const TABLE = /^ \d+:(\d+)\['(.*)' @ \d+ : \d+ \.\. '(.*)' @ \d+ : \d+\]$/;
const ITEM_TAG = String.fromCodePoint(ITEM);
const ABOVE_ITEMS = String.fromCodePoint(ITEM + 1);

/** Reads LevelDB's list of its tables (the property `leveldb.sstables`); those without items are left out. */
export function readLevelTables(text: string): LevelTable[] {
  const tables: LevelTable[] = [];
  let level = 0;
  for (const line of text.split('\n')) {
    const head = LEVEL.exec(line);
    if (head !== null) level = Number(head[1]);
    const match = TABLE.exec(line);
    if (match === null) continue;
    const from = unescaped(match[2]!);
    const to = unescaped(match[3]!);
    if (from >= ABOVE_ITEMS || to < ITEM_TAG) continue;
    tables.push({
      level,
      bytes: Number(match[1]),
      from: from < ITEM_TAG ? '' : from.slice(1),
      // A table that goes on to other rows holds all items from `from` on.
      to: to >= ABOVE_ITEMS ? LAST_KEY : to.slice(1),
    });
  }
  return tables;
}

/** Above all keys of items. */
const LAST_KEY = '\u00ff'.repeat(251);

function unescaped(text: string): string {
  return text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
