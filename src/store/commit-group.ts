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
  /** An item changed in a way that no record tells: it was deleted or touched, or its value lies in its row. */
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
