import type { Item } from '../item.ts';
import { itemPages, type LevelSnapshot, type RowItem } from './item-pages.ts';
import type { Level } from './row-batch.ts';
import type { ValueLog } from './value-log.ts';
import { checkedValueOf } from './value-record.ts';

/**
 * A store as it was at one moment, read while writes go on. While it is open no value segment of that moment is
 * removed and LevelDB keeps replaced rows, so it must be closed, and soon.
 */
export class StoreSnapshot {
  readonly #db: Level;
  readonly #values: ValueLog;
  readonly #snapshot: LevelSnapshot;
  readonly #unpin: () => void;
  #closed = false;

  constructor(db: Level, values: ValueLog) {
    this.#db = db;
    this.#values = values;
    this.#snapshot = db.snapshot();
    // In the same step, so that nothing is removed in between.
    this.#unpin = values.pin();
  }

  /** The items whose keys begin with `prefix` (latin1), in key order, a page at a time. */
  pages(prefix: string): AsyncGenerator<readonly RowItem[], void, undefined> {
    return itemPages(this.#db, prefix, this.#snapshot);
  }

  /** An item's value, checked; undefined when it is damaged. */
  async readValue(key: string, item: Item): Promise<Buffer | undefined> {
    if (item.place === undefined) return item.value;
    const record = await this.#values.read(item.place);
    return record === undefined ? undefined : await checkedValueOf(record, key);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unpin();
    await this.#snapshot.close();
  }
}
