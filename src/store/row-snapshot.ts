import { itemPages, type LevelSnapshot, type RowItem } from './item-pages.ts';
import type { Level } from './row-batch.ts';

/** The items' rows as they were at one moment. While it is open LevelDB keeps replaced rows, so it must be closed. */
export class RowSnapshot {
  readonly #db: Level;
  readonly #snapshot: LevelSnapshot;

  constructor(db: Level) {
    this.#db = db;
    this.#snapshot = db.snapshot();
  }

  /** The items whose keys begin with `prefix` (latin1), in key order, a page at a time. */
  pages(prefix: string): AsyncGenerator<readonly RowItem[], void, undefined> {
    return itemPages(this.#db, prefix, this.#snapshot);
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }
}
