import type { Item } from '../item.ts';
import { readItemRow } from './item-row.ts';
import { itemKey, ITEM, keyOfItem, prefixEnd } from './keys.ts';
import type { Level } from './row-batch.ts';

/** Rows of a page at most: enough to share the cost of a call to LevelDB. */
const PAGE_ROWS = 256;
/** Bytes of rows that LevelDB reads ahead. */
const READ_AHEAD_BYTES = 128 * 1024;

/** A state of a database that reads can be made from. */
export type LevelSnapshot = ReturnType<Level['snapshot']>;

/** An item as its row says; undefined when the row is damaged. */
export interface RowItem {
  readonly key: string;
  readonly item: Item | undefined;
}

/**
 * The items whose keys begin with `prefix` (latin1), in key order, a page at a time, all as of when the first
 * page is asked for, or of the snapshot.
 */
export async function* itemPages(db: Level, prefix: string, snapshot?: LevelSnapshot): AsyncGenerator<readonly RowItem[], void, undefined> {
  const start = itemKey(prefix);
  const iterator = db.iterator({
    gte: start,
    lt: prefixEnd(start) ?? Buffer.from([ITEM + 1]),
    fillCache: false,
    highWaterMarkBytes: READ_AHEAD_BYTES,
    ...(snapshot === undefined ? {} : { snapshot }),
  });
  try {
    for (let rows = await iterator.nextv(PAGE_ROWS); rows.length > 0; rows = await iterator.nextv(PAGE_ROWS)) {
      yield rows.map(([row, value]) => {
        const key = keyOfItem(row);
        return { key, item: readItemRow(value, key.length) };
      });
    }
  } finally {
    await iterator.close();
  }
}
