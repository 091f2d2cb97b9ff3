import type { Place } from '../item.ts';
import type { CommitGroup } from './commit-group.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import { DeferredRows } from './deferred-rows.ts';
import { dueRowKey, packKeys } from './due-row.ts';
import { EarlyFlush } from './early-flush.ts';
import { HAND_KEY, STATE_KEY } from './keys.ts';
import { encodeTail, TAIL_KEY } from './log-tail.ts';
import { rowBytesOf } from './row-bytes.ts';
import { RowScratch } from './row-scratch.ts';
import { encodeState } from './state-row.ts';
import type { StoreOptions } from './store-options.ts';
import { WRITE_BUFFER_BYTES } from './tuning.ts';
import { KINDS } from './value-kind.ts';
import { type RecordWrite, wholeRecord, writtenBytes } from './value-log.ts';
import { encodeGroupEnd, type GroupNumber, sumInSteps, unusedHead } from './value-record.ts';
import type { ValueSpace } from './value-space.ts';

/**
 * A group with more changes than that is committed with its rows: in so large a batch they cost less than to be written twice. With 16
 * sets of 100 B in flight on each of 50 connections these cost 1.2 times as much else.
 */
const MOST_CHANGES = 64;

/**
 * Writes groups: their records to the value log, then batches to LevelDB with their items, their index rows and all
 * counters, so that these agree after any crash.
 */
export class GroupWriter {
  readonly #contents: Contents;
  readonly #space: ValueSpace;
  readonly #commits: CommitStats;
  readonly #syncEveryBatch: boolean;
  readonly #scratch = new RowScratch();
  readonly #flush: EarlyFlush;
  /** Groups since the last batch that ended with a record. */
  #groups = 0;
  #levelBytesWritten = 0;

  /** `commits` is kept up to date. */
  constructor(contents: Contents, space: ValueSpace, commits: CommitStats, { syncEveryBatch, writeBufferBytes = WRITE_BUFFER_BYTES }: Pick<StoreOptions, 'syncEveryBatch' | 'writeBufferBytes'>) {
    this.#contents = contents;
    this.#space = space;
    this.#commits = commits;
    this.#syncEveryBatch = syncEveryBatch;
    this.#flush = new EarlyFlush(
      () => contents.db,
      () => rowBytesOf(contents.state, contents.segments),
      writeBufferBytes,
    );
  }

  /** Bytes given to LevelDB since the start. */
  get levelBytesWritten(): number {
    return this.#levelBytesWritten;
  }

  /** The last group that was told by its records, or the batch behind which none was. */
  get newest(): GroupNumber {
    return { batch: this.#contents.state.batch, number: this.#groups };
  }

  /** True when a group is committed by its records, and what the last of them tells besides. */
  mayDefer(group: CommitGroup): boolean {
    return !group.needsRows && group.changed <= MOST_CHANGES && !this.#syncEveryBatch && this.#contents.hasTail;
  }

  /** Room for rows that are not encoded yet. */
  newRows(): DeferredRows {
    return new DeferredRows(this.#contents.db, this.#scratch);
  }

  /**
   * The records of a group as they are to be written. One that is committed by them ends with a record that says so.
   * `endsBatch` = `seal` is called next.
   */
  recordsOf(group: CommitGroup, endsBatch: boolean): RecordWrite[] {
    const records = recordsInOrder(group);
    const { state } = this.#contents;
    if (this.mayDefer(group)) {
      const changes = group.changes();
      if (changes.length > 0 || records.length > 0) {
        const bytes = encodeGroupEnd({ batch: state.batch, number: ++this.#groups, endsBatch, items: group.records.size, cas: state.cas }, changes);
        records.push(wholeRecord(this.#space.placeOfEnd(bytes.length, records.at(-1)?.place.segment), bytes));
      }
    }
    this.#contents.casOfGroup = state.cas;
    return records;
  }

  /**
   * Resolves when the records of a group are the operating system's, or on disk with `syncEveryBatch`. Rejects with what the disk
   * said.
   */
  async writeRecords(records: readonly RecordWrite[]): Promise<void> {
    const last = records.at(-1);
    if (last === undefined) return;
    const { values } = this.#contents;
    for (const { bytes, start, end, rest, isSummed } of records) if (!isSummed) await sumInSteps(bytes.subarray(start, end), rest);
    // The end of the group is there only when all of it is.
    const { segment } = last.place;
    if (records[0]!.place.segment !== segment) await values.write(records.filter(({ place }) => place.segment !== segment));
    await values.write(records[0]!.place.segment === segment ? records : records.filter(({ place }) => place.segment === segment));
    if (this.#syncEveryBatch) await values.sync();
    for (const record of records) this.#commits.valueBytes += writtenBytes(record);
  }

  /**
   * Ends a batch with a group whose rows come last in it, and with all counters.
   * REQUIRES: nothing is staged or written that is not in it, or in LevelDB
   */
  seal(rows: DeferredRows, group: CommitGroup): void {
    rows.add(group);
    rows.encode();
    const { state, segments, counted, values } = this.#contents;
    const { batch } = rows;
    state.batch++;
    this.#groups = 0;
    for (const [bucket, keys] of rows.hints) {
      const row = { deadline: Math.floor(bucket / 32), shift: bucket % 32, number: state.batch };
      batch.put(dueRowKey(row), packKeys(keys));
    }
    for (const { key, value } of [...group.dueRows, ...segments.takeDirtyRows()]) {
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
    batch.put(TAIL_KEY, encodeTail({ batch: state.batch, behind: state.batch, offsets: values.ends(KINDS) }));
    batch.put(STATE_KEY, encodeState(state));
  }

  /**
   * Resolves when a sealed batch is in LevelDB's log, or on disk with `syncEveryBatch`. Rejects with what LevelDB said.
   * REQUIRES: the records of its groups are written, and no other batch is being written.
   */
  async writeRows({ batch, mutations }: DeferredRows, cas: number): Promise<void> {
    await batch.write(this.#syncEveryBatch);
    this.#contents.casOnDisk = cas;
    this.#contents.hasTail = true;
    this.#commits.batches++;
    this.#commits.mutations += mutations;
    this.#commits.levelBytes += batch.bytes;
    this.#levelBytesWritten += batch.bytes;
    this.#flush.wrote(batch.bytes);
    if (this.#syncEveryBatch) this.#commits.syncs++;
  }
}

/** The records of a group in the order of their places, in which they are written. */
function recordsInOrder(group: CommitGroup): RecordWrite[] {
  const records = [...group.records.values()];
  for (const record of unusedRecords(group.unused)) records.push(record);
  // As a rule they are: places are given away in the order of the records.
  return isInOrder(records) ? records : records.toSorted((a, b) => comparePlaces(a.place, b.place));
}

function isInOrder(records: readonly RecordWrite[]): boolean {
  for (let i = 1; i < records.length; i++) if (comparePlaces(records[i - 1]!.place, records[i]!.place) > 0) return false;
  return true;
}

function comparePlaces(a: Place, b: Place): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** What to write to places that are not needed, one head for all that lie together. */
function unusedRecords(places: readonly Place[]): RecordWrite[] {
  const runs: Place[] = [];
  for (const place of places.toSorted(comparePlaces)) {
    const last = runs.at(-1);
    if (last !== undefined && last.segment === place.segment && last.offset + last.size === place.offset) {
      runs[runs.length - 1] = { ...last, size: last.size + place.size };
    } else {
      runs.push(place);
    }
  }
  return runs.map((place) => wholeRecord(place, unusedHead(place.size)));
}
