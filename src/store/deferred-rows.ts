import type { Item } from '../item.ts';
import type { CommitGroup } from './commit-group.ts';
import { rowSize, writeItemRow } from './item-row.ts';
import { ITEM, itemKey } from './keys.ts';
import { type Level, RowBatch } from './row-batch.ts';
import { nearKeyOrder } from './row-order.ts';
import { RowScratch } from './row-scratch.ts';
import { COPIED_VALUE_BYTES } from './tuning.ts';

/**
 * Rows of one or more groups on their way to LevelDB. A group of which records tell all is committed before its rows are
 * there, and these wait for those of others: rows in large batches cost less each, and nobody waits for them. A set of 1 KB by one
 * client costs 97 us of CPU with this, and 158 without (docs/architecture.md).
 */
export class DeferredRows {
  /** Keys (latin1) and their states, large values left out, as they came: the last of a key counts; null = deleted. */
  readonly #keys: string[] = [];
  readonly #items: (Item | null)[] = [];
  /** How many of them, from the front, are committed. */
  #committed = 0;
  /** What is committed by key, from when somebody first asks for one: of what the RAM tier holds nobody does. */
  #byKey: Map<string, Item | null> | undefined;
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

  /** True until a group was added. */
  get isEmpty(): boolean {
    return this.mutations === 0;
  }

  /** False while none of what was added is committed. */
  get hasCommitted(): boolean {
    return this.#committed > 0;
  }

  /** Newest state of what is committed, by key (latin1), large values left out; null = deleted. */
  get entries(): ReadonlyMap<string, Item | null> {
    if (this.#byKey === undefined) {
      this.#byKey = new Map();
      this.#enter(this.#byKey, 0);
    }
    return this.#byKey;
  }

  /** The batch that the rows are in. */
  get batch(): RowBatch {
    return (this.#batch ??= new RowBatch(this.#db));
  }

  /** Adds a group: its items, and what it lists in the index. */
  add(group: CommitGroup): void {
    for (const [key, item] of group.entries) {
      // Once its record is written it can be read.
      const isLarge = item !== null && item.place !== undefined && item.length > COPIED_VALUE_BYTES;
      this.#keys.push(key);
      this.#items.push(isLarge ? { ...item, value: undefined } : item);
    }
    for (const [bucket, keys] of group.hints) {
      const before = this.hints.get(bucket);
      if (before === undefined) this.hints.set(bucket, keys);
      else for (const key of keys) before.push(key);
    }
    this.bytes += group.bytes;
    this.mutations += group.mutations;
  }

  /** Takes note that all that was added is committed. */
  commit(): void {
    const from = this.#committed;
    this.#committed = this.#keys.length;
    if (this.#byKey !== undefined) this.#enter(this.#byKey, from);
  }

  /** Puts the rows of all items into the batch, as a rule one of each key. */
  encode(): void {
    const { batch } = this;
    const keys = this.#keys;
    const order = nearKeyOrder(keys);
    for (let n = 0; n < order.length; n++) {
      const i = order[n]!;
      const key = keys[i]!;
      // What comes behind it replaces it.
      if (n + 1 < order.length && keys[order[n + 1]!] === key) continue;
      const item = this.#items[i]!;
      if (item === null) batch.del(itemKey(key));
      else this.#putItem(batch, key, item);
    }
  }

  /** Earliest deadline among the hints; Infinity without any. */
  earliestHint(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const bucket of this.hints.keys()) earliest = Math.min(earliest, Math.floor(bucket / 32));
    return earliest;
  }

  #enter(byKey: Map<string, Item | null>, from: number): void {
    for (let i = from; i < this.#committed; i++) byKey.set(this.#keys[i]!, this.#items[i]!);
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
