import type { Item } from '../item.ts';
import type { Contents } from './contents.ts';
import { readItemRow } from './item-row.ts';
import { ITEM, itemKey, keyOfItem, prefixEnd } from './keys.ts';
import type { Level } from './row-batch.ts';

/** Bytes, and number, of rows that are taken from LevelDB at once: bounds what one step holds in memory and how long it takes. */
const PORTION_BYTES = 128 * 1024;
const PORTION_ROWS = 128;

/**
 * Milliseconds for which an iterator is kept for whoever asks again: as long as it is open, LevelDB keeps the tables and the
 * sorted memory that it reads from.
 */
const KEPT_MS = 100;

/** An item and its key, as a latin1 string. */
export interface StoredItem {
  readonly key: string;
  readonly item: Item;
}

/** Some items in key order. */
export interface Scan {
  readonly found: StoredItem[];
  /** The key to go on after; undefined at the end. */
  readonly next: string | undefined;
}

type RowIterator = ReturnType<typeof iterate>;

function iterate(db: Level, from: { readonly gte: Buffer } | { readonly gt: Buffer }, end: Buffer) {
  return db.iterator({ ...from, lt: end, fillCache: false, highWaterMarkBytes: PORTION_BYTES });
}

/**
 * Reads committed items in key order, some at a time. Those of a call are as they were when it began, or up to 100 ms before.
 *
 * One LevelDB iterator serves the calls of a while: the memory of each is given back when V8 collects it, and V8, which does not
 * know how large they are, lets thousands gather (10 to 20 MB more during a listing with an iterator for each 128 items).
 */
export class ItemCursor {
  readonly #contents: Contents;
  readonly #damaged: () => void;
  readonly #end: Buffer;
  /** Where a new iterator begins. */
  #from: { readonly gte: Buffer } | { readonly gt: Buffer };
  #iterator: RowIterator | undefined;
  /** What the iterator reads from. */
  #db: Level | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isOld = false;

  /** For keys that begin with `prefix` (latin1), after the key `after`; `damaged` is called for each row that fails its checksum. */
  constructor(contents: Contents, { prefix, after }: { readonly prefix: string; readonly after: string | undefined }, damaged: () => void) {
    this.#contents = contents;
    this.#damaged = damaged;
    const start = itemKey(prefix);
    this.#end = prefixEnd(start) ?? Buffer.from([ITEM + 1]);
    this.#from = after === undefined || after < prefix ? { gte: start } : { gt: itemKey(after) };
  }

  /**
   * The next items, `limit` at most. REQUIRES: the last call is over.
   *
   * @throws what LevelDB says when the store is closed, or opened anew after a failed write
   */
  async next(limit: number): Promise<Scan> {
    const found: StoredItem[] = [];
    let last: string | undefined;
    let rows = 0;
    this.#isReading = true;
    try {
      const iterator = this.#current();
      while (rows < limit) {
        const portion = await iterator.nextv(Math.min(PORTION_ROWS, limit - rows));
        if (portion.length === 0) break;
        for (const [row, value] of portion) {
          const key = keyOfItem(row);
          last = key;
          const item = readItemRow(value, key.length);
          if (item === undefined) this.#damaged();
          else found.push({ key, item });
        }
        rows += portion.length;
      }
    } finally {
      if (last !== undefined) this.#from = { gt: itemKey(last) };
      this.#isReading = false;
      if (this.#isOld) await this.close();
    }
    return { found, next: rows < limit ? undefined : last };
  }

  /**
   * Gives back what LevelDB keeps for it. More can be asked for all the same, and is then as it is then. REQUIRES: the last call of
   * `next` is over.
   */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const iterator = this.#iterator;
    this.#iterator = undefined;
    this.#isOld = false;
    if (iterator === undefined) return;
    // What an iterator read last it keeps until V8 collects it: one row alone. Who asks for that row is told why it cannot be read.
    await iterator.nextv(1).catch(() => undefined);
    await iterator.close();
  }

  #current(): RowIterator {
    const { db } = this.#contents;
    if (this.#iterator === undefined || this.#db !== db) {
      // What is not of this database was closed with its own.
      this.#iterator = iterate(db, this.#from, this.#end);
      this.#db = db;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#grownOld(), KEPT_MS).unref();
    }
    return this.#iterator;
  }

  #grownOld(): void {
    this.#isOld = true;
    // Nobody waits for it.
    if (!this.#isReading) this.close().catch(() => undefined);
  }
}
