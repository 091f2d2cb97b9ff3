import type { Item } from '../item.ts';
import type { CommitGroup } from './commit-group.ts';
import { rowSize, writeItemRow } from './item-row.ts';
import { ITEM, itemKey } from './keys.ts';
import { type Level, RowBatch } from './row-batch.ts';
import { RowScratch } from './row-scratch.ts';
import { COPIED_VALUE_BYTES } from './tuning.ts';

/**
 * Rows of one or more groups on their way to LevelDB. A group of which records tell all is committed before its rows are
 * there, and these wait for those of others: rows in large batches cost less each, and nobody waits for them. A set of 1 KB by one
 * client costs 97 us of CPU with this, and 158 without (docs/architecture.md).
 */
export class DeferredRows {
  /** Newest state by key (latin1) of what is committed, large values left out; null = deleted. */
  readonly entries: Map<string, Item | null> = new Map();
  /** Keys to list in the TTL index, by deadline * 32 + shift. */
  readonly hints: Map<number, string[]> = new Map();
  readonly #db: Level;
  readonly #scratch: RowScratch;
  #batch: RowBatch | undefined;
  /** Bytes that it takes in memory, about. */
  bytes = 0;
  /** Mutations whose rows these are. */
  mutations = 0;

  constructor(db: Level, scratch: RowScratch) {
    this.#db = db;
    this.#scratch = scratch;
  }

  get isEmpty(): boolean {
    return this.#batch === undefined;
  }

  /** The batch that the rows are in. */
  get batch(): RowBatch {
    return (this.#batch ??= new RowBatch(this.#db));
  }

  /** Adds the rows of a group's items, and what it lists in the index. */
  add(group: CommitGroup): void {
    const { batch } = this;
    for (const [key, item] of group.entries) {
      if (item === null) batch.del(itemKey(key));
      else this.#putItem(batch, key, item);
    }
    for (const [bucket, keys] of group.hints) {
      const before = this.hints.get(bucket);
      if (before === undefined) this.hints.set(bucket, keys);
      else for (const key of keys) before.push(key);
    }
    this.bytes += group.bytes;
    this.mutations += group.mutations;
  }

  /** Takes note that a group is committed whose rows are among these. */
  commit({ entries }: CommitGroup): void {
    for (const [key, item] of entries) {
      // Its record is written, and can be read.
      const isLarge = item !== null && item.place !== undefined && item.length > COPIED_VALUE_BYTES;
      this.entries.set(key, isLarge ? { ...item, value: undefined } : item);
    }
  }

  /** Earliest deadline among the hints; Infinity without any. */
  earliestHint(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const bucket of this.hints.keys()) earliest = Math.min(earliest, Math.floor(bucket / 32));
    return earliest;
  }

  #putItem(batch: RowBatch, key: string, item: Item): void {
    const value = this.#scratch.row(rowSize(item));
    writeItemRow(value, 0, item);
    const row = this.#scratch.key(1 + key.length);
    row[0] = ITEM;
    row.write(key, 1, 'latin1');
    batch.put(row, value);
  }
}
