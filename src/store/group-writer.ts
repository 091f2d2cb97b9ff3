import type { Item, Place } from '../item.ts';
import type { CommitGroup } from './commit-group.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import { dueRowKey, packKeys } from './due-row.ts';
import { rowSize, writeItemRow } from './item-row.ts';
import { HAND_KEY, ITEM, itemKey, STATE_KEY } from './keys.ts';
import { RowBatch } from './row-batch.ts';
import { RowScratch } from './row-scratch.ts';
import { encodeState } from './state-row.ts';
import { NO_REST, type RecordWrite } from './value-log.ts';
import { sumInSteps, unusedHead } from './value-record.ts';

/**
 * Writes a group: its records to the value log, then one batch to LevelDB with its items, their index rows and all
 * counters, so that these agree after any crash.
 */
export class GroupWriter {
  readonly #contents: Contents;
  readonly #commits: CommitStats;
  readonly #syncEveryBatch: boolean;
  readonly #scratch = new RowScratch();
  #levelBytesWritten = 0;

  /** `commits` is kept up to date. */
  constructor(contents: Contents, commits: CommitStats, syncEveryBatch: boolean) {
    this.#contents = contents;
    this.#commits = commits;
    this.#syncEveryBatch = syncEveryBatch;
  }

  /** Bytes given to LevelDB since the start. */
  get levelBytesWritten(): number {
    return this.#levelBytesWritten;
  }

  /**
   * Resolves when all is in LevelDB's log, or on disk with `syncEveryBatch`. Rejects with what the disk or LevelDB said.
   * REQUIRES: nothing is staged that is not in this group, and no other is being written.
   */
  async write(group: CommitGroup): Promise<void> {
    const { state, values } = this.#contents;
    // Everything is encoded before the first await: the counters must be those of this group.
    const batch = this.#encode(group);
    const { cas } = state;
    if (group.records.size > 0 || group.unused.length > 0) {
      const records = recordsInOrder(group);
      for (const { bytes, rest, isSummed } of records) if (!isSummed) await sumInSteps(bytes, rest);
      await values.write(records);
      if (this.#syncEveryBatch) await values.sync();
      for (const { place, bytes, rest } of records) this.#commits.valueBytes += rest.length > 0 ? place.size : bytes.length;
    }
    await batch.write(this.#syncEveryBatch);
    this.#contents.casOnDisk = cas;
    this.#commits.batches++;
    this.#commits.mutations += group.mutations;
    this.#commits.levelBytes += batch.bytes;
    this.#levelBytesWritten += batch.bytes;
    if (this.#syncEveryBatch) this.#commits.syncs++;
  }

  #encode(group: CommitGroup): RowBatch {
    const { db, state, segments, counted, values } = this.#contents;
    const batch = new RowBatch(db);
    state.batch++;
    for (const [key, item] of group.entries) {
      if (item === null) batch.del(itemKey(key));
      else this.#putItem(batch, key, item);
    }
    for (const [bucket, keys] of group.hints) {
      const row = { deadline: Math.floor(bucket / 32), shift: bucket % 32, number: state.batch };
      batch.put(dueRowKey(row), packKeys(keys));
    }
    for (const { key, value } of group.dueRows) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    for (const { key, value } of segments.takeDirtyRows()) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    if (group.hand !== undefined) batch.put(HAND_KEY, group.hand);
    if (counted !== undefined) {
      for (const { key, value } of counted.takeDirtyRows()) batch.put(key, value);
      // What is staged from here on is not in the snapshot of this group.
      if (group.countWaiters.length > 0) counted.restart();
    }
    state.nextSegment = values.next;
    batch.put(STATE_KEY, encodeState(state));
    return batch;
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

/** The records of a group in the order of their places, in which they are written. */
function recordsInOrder(group: CommitGroup): RecordWrite[] {
  return [...group.records.values(), ...unusedRecords(group.unused)].toSorted((a, b) => a.place.segment - b.place.segment || a.place.offset - b.place.offset);
}

/** What to write to places that are not needed, one head for all that lie together. */
function unusedRecords(places: readonly Place[]): RecordWrite[] {
  const runs: Place[] = [];
  for (const place of places.toSorted((a, b) => a.segment - b.segment || a.offset - b.offset)) {
    const last = runs.at(-1);
    if (last !== undefined && last.segment === place.segment && last.offset + last.size === place.offset) {
      runs[runs.length - 1] = { ...last, size: last.size + place.size };
    } else {
      runs.push(place);
    }
  }
  return runs.map((place) => ({ place, bytes: unusedHead(place.size), rest: NO_REST, isSummed: true }));
}
