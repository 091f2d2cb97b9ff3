import type { Item, Place } from '../item.ts';
import type { RowSnapshot } from './row-snapshot.ts';
import type { RecordWrite } from './value-log.ts';

/** Who is told when what it staged is in the log, or that it is not. */
export interface CommitWaiter {
  committed(error: Error | undefined): void;
}

/** Who is handed all rows as they are when a group is written, to count them. */
export interface CountWaiter {
  begun(snapshot: RowSnapshot): void;
  failed(error: Error): void;
}

/**
 * Mutations that will be written together: group commit. Later ones of the same key replace earlier
 * ones, so a hot key costs one row per batch.
 */
export class CommitGroup {
  /** Newest state by key (latin1); null = deleted. */
  readonly entries: Map<string, Item | null> = new Map();
  readonly records: Map<string, RecordWrite> = new Map();
  /** Keys of which their record in this group does not tell all, if they have one. */
  readonly #untold = new Set<string>();
  /** Keys whose values were moved and that are else as they were: after a crash they are where they were. */
  readonly #moved = new Set<string>();
  /** Places of records that were replaced before they were written. */
  readonly unused: Place[] = [];
  /** Keys to list in the TTL index, by deadline * 32 + shift. */
  readonly hints: Map<number, string[]> = new Map();
  /** Index and job rows that change: a new value, or undefined to delete. */
  readonly dueRows: { key: Buffer; value: Buffer | undefined }[] = [];
  readonly waiters: CommitWaiter[] = [];
  readonly countWaiters: CountWaiter[] = [];
  /** Bytes that it takes in memory, about, for back-pressure. */
  bytes = 0;
  /** Mutations staged, coalesced ones included. */
  mutations = 0;
  /** The key that eviction has come to, if it moved; empty = before the first. */
  hand: Buffer | undefined;
  /** The state row must be written even if no item changed. */
  stateChanged = false;
  /** It is committed only with its rows, whatever its records tell. */
  changesRows = false;

  get isEmpty(): boolean {
    return this.entries.size === 0 && this.unused.length === 0 && !this.needsRows;
  }

  /** True when it is committed only once LevelDB has its rows: its records alone do not bring back all of it. */
  get needsRows(): boolean {
    return this.changesRows || this.stateChanged || this.dueRows.length > 0;
  }

  /** The record staged for a key, if any, is not needed any more. */
  dropRecord(key: string): void {
    const record = this.records.get(key);
    if (record === undefined) return;
    this.records.delete(key);
    this.unused.push(record.place);
  }

  /** Notes the newest state of a key, null = deleted, and whether it has a record that tells all of it. Returns false when there was one before. */
  put(key: string, item: Item | null, isTold: boolean): boolean {
    // As a rule there are none of either.
    if (this.#moved.size > 0) this.#moved.delete(key);
    if (isTold && this.#untold.size > 0) this.#untold.delete(key);
    else if (!isTold && this.records.has(key)) this.#untold.add(key);
    const before = this.entries.size;
    this.entries.set(key, item);
    return this.entries.size > before;
  }

  /** The same of an item whose value was moved. */
  move(key: string, item: Item): boolean {
    const isNew = this.put(key, item, false);
    if (isNew) this.#moved.add(key);
    return isNew;
  }

  /** How many keys `changes` tells of, or a few more. */
  get changed(): number {
    return this.entries.size - this.records.size - this.#moved.size + this.#untold.size;
  }

  /** What must be told of it besides its records. */
  changes(): (readonly [string, Item | null])[] {
    const changes: (readonly [string, Item | null])[] = [];
    // As a rule each has a record.
    if (this.changed === 0) return changes;
    for (const entry of this.entries) {
      const [key] = entry;
      if (this.#untold.has(key) || !(this.records.has(key) || this.#moved.has(key))) changes.push(entry);
    }
    return changes;
  }

  hint(deadline: number, shift: number, key: string): void {
    const bucket = deadline * 32 + shift;
    const keys = this.hints.get(bucket);
    if (keys === undefined) this.hints.set(bucket, [key]);
    else keys.push(key);
  }

  /** Earliest deadline among the hints; Infinity without any. */
  earliestHint(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const bucket of this.hints.keys()) earliest = Math.min(earliest, Math.floor(bucket / 32));
    return earliest;
  }
}
