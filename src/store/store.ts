import type { Item, Place } from '../item.ts';
import type { CommitWaiter } from './commit-group.ts';
import { CommitPipeline } from './commit-pipeline.ts';
import { type CommitStats, emptyCommitStats } from './commit-stats.ts';
import { CommittedReader } from './committed-reader.ts';
import { Contents } from './contents.ts';
import { Copies, type Copy } from './copies.ts';
import type { CountedPrefix, CountedPrefixes } from './counted-prefixes.ts';
import { prepareDirectory, writeOwner } from './directory.ts';
import { dueFrom } from './due-row.ts';
import type { DeadRecords } from './dead-records.ts';
import { DeadRows } from './dead-rows.ts';
import { EphemeralItems } from './ephemeral-items.ts';
import { GroupWriter } from './group-writer.ts';
import { HeldFiles } from './held-files.ts';
import type { ItemCursor, Scan } from './item-cursor.ts';
import { ItemStaging } from './item-staging.ts';
import { ItemWrites } from './item-writes.ts';
import { encodeJob, jobKey, type JobRow } from './job-row.ts';
import { ITEM, itemKey } from './keys.ts';
import { type LevelTable, readLevelTables } from './level-tables.ts';
import { levelDiskBytes, type LevelUse, levelUse } from './level-use.ts';
import { rowBytesOf } from './row-bytes.ts';
import type { RowSnapshot } from './row-snapshot.ts';
import type { SegmentTable } from './segment-table.ts';
import { StoreSnapshot } from './snapshot.ts';
import type { StoreState } from './state-row.ts';
import type { StoreOptions } from './store-options.ts';
import { StoreSync } from './store-sync.ts';
import { type DueRowInfo, TtlIndex } from './ttl-index.ts';
import type { ValueLog } from './value-log.ts';
import { ValueSpace } from './value-space.ts';

export type { CommitStats } from './commit-stats.ts';
export type { Copies, Copy } from './copies.ts';
export type { Scan, StoredItem } from './item-cursor.ts';
export type { LevelUse } from './level-use.ts';
export type { StoreOptions } from './store-options.ts';
export type { DueRowInfo } from './ttl-index.ts';

/**
 * Items by key on LevelDB, with values above INLINE_MAX in a value log beside it, and a TTL index.
 *
 * Writes are staged and committed in groups: one batch is in flight at a time, all that arrives
 * meanwhile goes into the next. Reads see what is committed; `pending` shows what is staged. A batch
 * carries the items, their index rows and all counters, so that these agree after any crash.
 *
 * Not for use by two processes: LevelDB's lock sees to that.
 */
export class Store {
  readonly directory: string;
  readonly commits: CommitStats;
  /** Where rows died since the process started. */
  readonly deadRows: DeadRows = new DeadRows();
  /** Items that are not on disk; undefined = there are never any. */
  readonly ephemeral: EphemeralItems | undefined;
  /** Records that are on their way to other places in the value log. */
  readonly copies: Copies;
  readonly #options: StoreOptions;
  readonly #contents: Contents;
  readonly #writer: GroupWriter;
  readonly #pipeline: CommitPipeline;
  readonly #space: ValueSpace;
  readonly #sync: StoreSync;
  readonly #index: TtlIndex;
  readonly #staging: ItemStaging;
  readonly #writes: ItemWrites;
  readonly #reader: CommittedReader;
  readonly #held: HeldFiles | undefined;
  #closed = false;

  private constructor(contents: Contents, options: StoreOptions, commits: CommitStats, damaged: (where: string) => void) {
    this.directory = contents.directory;
    this.#contents = contents;
    this.#options = options;
    this.commits = commits;
    this.#space = new ValueSpace(contents, options.segmentBytes);
    this.#writer = new GroupWriter(contents, this.#space, commits, options);
    this.#pipeline = new CommitPipeline(contents, this.#writer, commits, (entries, error) => this.#lose(entries, error));
    this.#reader = new CommittedReader(contents, this.#pipeline, damaged);
    this.#index = new TtlIndex(contents, this.#pipeline);
    this.copies = new Copies(contents, this.#pipeline, this.#space, commits);
    this.#staging = new ItemStaging(contents, this.#pipeline, this.#space, this.#index, this.copies, this.deadRows);
    this.#sync = new StoreSync(contents, this.#pipeline, this.#space, commits);
    this.ephemeral = options.ephemeral === undefined ? undefined : new EphemeralItems(options.ephemeral);
    this.#writes = new ItemWrites(contents, this.#pipeline, this.#staging, this.ephemeral);
    this.#held = options.holdsFiles === true ? new HeldFiles(this.directory, () => this.levelBytesWritten) : undefined;
    this.#held?.start();
  }

  /**
   * Opens a store, made if the directory does not exist or is empty.
   *
   * @throws TugelaError TUGELA_STORE_FOREIGN, TUGELA_STORE_FORMAT, TUGELA_STORE_LOCKED, TUGELA_STORE_CORRUPT,
   * TUGELA_STORE_FAILED
   */
  static async open(directory: string, options: StoreOptions): Promise<Store> {
    await prepareDirectory(directory, options.mustExist === true);
    const commits = emptyCommitStats();
    const damaged = (where: string): void => {
      commits.damaged++;
      options.onDamaged?.(where);
    };
    const contents = await Contents.open(directory, options, damaged);
    try {
      await writeOwner(directory);
    } catch (error) {
      await contents.db.close();
      throw error;
    }
    return new Store(contents, options, commits, damaged);
  }

  /** Items stored, on disk or in memory alone. */
  get items(): number {
    return this.#contents.state.items + (this.ephemeral?.size ?? 0);
  }

  /** Bytes of their keys and values. */
  get bytes(): number {
    return this.#contents.state.bytes + (this.ephemeral?.itemBytes ?? 0);
  }

  /** Records of the value log that died since the process started. */
  get deadRecords(): DeadRecords {
    return this.#space.deadRecords;
  }

  /** The counters of what is on disk, as of everything staged. */
  get state(): Readonly<StoreState> {
    return this.#contents.state;
  }

  /** What is stored under some prefixes, as of everything staged; undefined when none is counted. */
  get counted(): CountedPrefixes | undefined {
    return this.#contents.counted;
  }

  /** Why writes are refused, if they are. */
  get failure(): Error | undefined {
    return this.#pipeline.failure;
  }

  /** Bytes given to LevelDB since the start. */
  get levelBytesWritten(): number {
    return this.#writer.levelBytesWritten;
  }

  /** Bytes staged and not yet committed, with what keeping them in order takes. */
  get pendingBytes(): number {
    return this.#pipeline.pendingBytes;
  }

  /** Number of the group that is being staged. Groups are committed in order. */
  get stagingGroup(): number {
    return this.#pipeline.stagingGroup;
  }

  /** Number of the last group that was committed, or failed. */
  get settledGroup(): number {
    return this.#pipeline.settledGroup;
  }

  /** True when something is staged or being written that is not committed. */
  get hasUncommitted(): boolean {
    return this.#pipeline.hasUncommitted;
  }

  /** Items that are committed, and have their rows in LevelDB in a moment. */
  get deferredItems(): number {
    return this.#pipeline.deferredItems;
  }

  /** True when LevelDB does not have all that is staged. */
  get hasPending(): boolean {
    return this.#pipeline.hasPending;
  }

  /** A cas unique higher than any before. */
  nextCas(): number {
    return ++this.#contents.state.cas;
  }

  /** The state of a key that is staged or has no row in LevelDB yet, or is in memory alone: an item, null for deleted, undefined when there is none. */
  pending(key: string): Item | null | undefined {
    const item = this.ephemeral?.get(key);
    if (item !== undefined) return item;
    return this.#pipeline.pending(key);
  }

  /**
   * Stages a new value, or keeps it in memory alone. `old` is what the key has now. Returns the item as it will be
   * stored, its place assigned.
   * REQUIRES: the item has its value, and one of more than COPIED_VALUE_BYTES does not change until it is committed, or ever
   * if it is kept in memory alone.
   */
  put(key: string, old: Item | undefined, item: Item): Item {
    return this.#writes.put(key, old, item);
  }

  /**
   * The same for a large value in two pieces, neither of which may change until it is committed: it is never put
   * together for that. The item that is returned is without its value, and so is `item`; it always goes to the disk.
   * REQUIRES: the value is longer than STEP_BYTES
   */
  putJoined(key: string, old: Item | undefined, item: Item, pieces: readonly [Buffer, Buffer]): Item {
    return this.#writes.putJoined(key, old, item, pieces);
  }

  /**
   * Stages a change of what is known of an item whose value stays: a touch. One in memory alone stays there, or goes to
   * the disk if it is to live longer. Returns the item as it will be stored. REQUIRES: an inline item has its value.
   */
  restate(key: string, old: Item, item: Item): Item {
    return this.#writes.restate(key, old, item);
  }

  /**
   * Begins the move of a value to a new place in the value log: among those that eviction kept (`isKept`), or among those
   * that it has not judged. The record goes as it is, with what was known of the item when it was written. The copy is to be
   * written and forced to disk (`copies`), and then to be handed to `relocate`, or dropped.
   * REQUIRES: `item` is what the key has now, its value not inline; the record is whole, and does not change until it is written.
   */
  copy(key: string, item: Item, record: Buffer, isKept: boolean = this.isKept(item.place!.segment)): Copy {
    return this.#staging.copy(key, item, record, isKept);
  }

  /**
   * Stages the move of a value to its copy. Returns the item as it will be stored; undefined when its value is not where it was
   * copied from any more, or what is staged is lost: then the copy is dead. REQUIRES: the copy is on disk.
   */
  relocate(copy: Copy): Item | undefined {
    return this.#staging.relocate(copy);
  }

  /** Stages a delete; of an item in memory alone there is nothing to stage. */
  remove(key: string, old: Item): void {
    this.#writes.remove(key, old);
  }

  /**
   * Forgets items in memory alone that are expired or flushed, `limit` at most, and counts them. Returns their keys, of
   * which nothing is known any more but that they are absent.
   */
  takeDeadEphemeral(limit: number): string[] {
    return this.#writes.takeDead(limit);
  }

  /** Stages a change of the state that no item carries: flushes, floors. */
  changeState(change: Partial<StoreState>): void {
    Object.assign(this.#contents.state, change);
    this.#pipeline.stateChanged();
  }

  /** Tells a waiter when all that is staged now is committed; soon, but never within the call, when nothing is. */
  whenCommitted(waiter: CommitWaiter): void {
    this.#pipeline.whenCommitted(waiter);
  }

  /** Resolves when LevelDB has all that is staged now, which is more than that it is committed; rejects when it could not be written. */
  inLevel(): Promise<void> {
    return this.#pipeline.inLevel();
  }

  /** Reads what is committed of some keys. Inline values come along; others are read with `readValue`. */
  fetch(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#reader.fetch(keys);
  }

  /** Reads what is committed of a key at once, blocking the process. Only for what is likely in memory. */
  fetchNow(key: string): Item | undefined {
    return this.#reader.fetchNow(key);
  }

  /**
   * Reads a small committed value at once, blocking the process. Undefined when it is large, gone or
   * damaged: `readValue` then has the last word. `onTold` is called when the item's record tells all of it.
   */
  readValueNow(key: string, item: Item, onTold?: () => void): Buffer | undefined {
    return this.#reader.readValueNow(key, item, onTold);
  }

  /**
   * Reads an item at once from where its record is said to be, blocking the process; undefined when there is no whole record of the
   * key, or a large one. REQUIRES: a record of the key there is its newest, and tells all of it.
   */
  fetchPlacedNow(key: string, place: Place, withValue: boolean): Item | undefined {
    return this.#reader.fetchPlacedNow(key, place, withValue);
  }

  /** The same beside the event loop. */
  fetchPlaced(key: string, place: Place, withValue: boolean): Promise<Item | undefined> {
    return this.#reader.fetchPlaced(key, place, withValue);
  }

  /** Reads a value from the value log, checked; undefined when it is damaged or gone. `onTold`: as above, before it resolves. */
  readValue(key: string, item: Item, onTold?: () => void): Promise<Buffer | undefined> {
    return this.#reader.readValue(key, item, onTold);
  }

  /** Index rows with a deadline up to `now`, earliest first, of `limit` entries together or one row; after the row `after`. */
  dueRows(now: number, limit: number, after?: string): Promise<{ rows: DueRowInfo[]; next: string | undefined }> {
    return this.#index.dueRows(now, limit, after);
  }

  /** Keys listed in an index row; empty when the row is gone. */
  dueKeys(id: string): Promise<string[]> {
    return this.#index.dueKeys(id);
  }

  /** Keys listed in each of some index rows that are to be dropped; none where the row is gone. */
  dueKeysOf(ids: readonly string[]): Promise<string[][]> {
    return this.#index.dueKeysOf(ids);
  }

  /** Stages the end of an index row that listed `count` keys, of which `left` must stay listed. */
  dropDueRow(id: string, count: number, left: readonly string[]): void {
    this.#index.drop(id, count, left);
  }

  /** Deadline of the first index row; 0 when there is none. */
  oldestDeadline(): Promise<number> {
    return this.#index.oldestDeadline();
  }

  /** Committed items in key order: those that begin with `prefix`, after the key `after`, `limit` at most. */
  scan(prefix: string, after: string | undefined, limit: number): Promise<Scan> {
    return this.#reader.scan(prefix, after, limit);
  }

  /** For all committed items in key order, some at a time. */
  cursor(): ItemCursor {
    return this.#reader.cursor('');
  }

  /** Stages how far a delete of a prefix has come; undefined = it is over. In one batch with what it deleted. */
  changeJob(number: number, job: JobRow | undefined): void {
    this.#pipeline.staged.dueRows.push({ key: jobKey(number), value: job === undefined ? undefined : encodeJob(job) });
    this.#pipeline.changed();
  }

  /** Committed deletes of prefixes that are not over, by number. */
  jobs(): Promise<Map<number, JobRow>> {
    return this.#reader.jobs();
  }

  /** Bytes of keys and values of the rows of all items, or a guess where a version before did not count them. */
  get rowBytes(): number {
    return rowBytesOf(this.#contents.state, this.#contents.segments);
  }

  /** The value log and what is alive in it, for its collector and for stats. */
  get values(): ValueLog {
    return this.#contents.values;
  }

  get segments(): SegmentTable {
    return this.#contents.segments;
  }

  /** Bytes of values in use in segments, with their heads. */
  get liveValueBytes(): number {
    return this.#contents.segments.liveBytes;
  }

  /** The rest of the segments. */
  get deadValueBytes(): number {
    return this.#space.deadBytes;
  }

  /** True for a segment of values that eviction kept because they were read. */
  isKept(segment: number): boolean {
    return this.#space.isKept(segment);
  }

  /** True for a segment with copies that no item points to yet: it has more to keep than it seems. */
  hasCopies(segment: number): boolean {
    return this.#space.hasCopies(segment);
  }

  /** Segments that only wait for a sync to be removed. */
  get emptySegments(): number {
    return this.#space.emptySegments;
  }

  /** Bytes of the segments that only wait for a sync, or for who reads them, to be removed. */
  get emptyBytes(): number {
    return this.#space.emptyBytes;
  }

  /** Gives back the space of deleted rows in a range of LevelDB. */
  async compactSweptIndex(): Promise<void> {
    await this.#contents.db.compactRange(dueFrom(0), dueFrom(this.#contents.state.indexFloor));
  }

  /** The key that eviction has come to; undefined = before the first. */
  hand(): Promise<string | undefined> {
    return this.#reader.hand();
  }

  /** Stages the key that eviction has come to. */
  moveHand(key: string | undefined): void {
    this.#pipeline.staged.hand = Buffer.from(key ?? '', 'latin1');
    this.#pipeline.stateChanged();
  }

  /** Stages the key that eviction under a counted prefix has come to, and the cas unique at which its lap began. */
  moveHandUnder(prefix: CountedPrefix, hand: string | undefined, handCas: number): void {
    this.#contents.counted?.moveHand(prefix, hand, handCas);
    this.#pipeline.stateChanged();
  }

  /**
   * Begins the counts of prefixes that are not counted yet. From the moment that the snapshot shows, they follow what
   * is stored; what is in the snapshot is to be added, and then `finishCount` called.
   */
  beginCount(): Promise<RowSnapshot> {
    return new Promise((resolve, reject) => {
      this.#pipeline.staged.countWaiters.push({ begun: resolve, failed: reject });
      this.#pipeline.stateChanged();
    });
  }

  /** Stages that all under a prefix is counted. */
  finishCount(prefix: CountedPrefix): void {
    this.#contents.counted?.finish(prefix);
    this.#pipeline.stateChanged();
  }

  /** Gives back the space of deleted rows of every kind. */
  async compactAll(): Promise<void> {
    await this.#contents.db.compactRange(Buffer.from([0]), Buffer.from([0xff]));
  }

  /** All that is committed now, to be read while writes go on. Must be closed: it holds disk space. */
  snapshot(): StoreSnapshot {
    return new StoreSnapshot(this.#contents.db, this.#contents.values);
  }

  /** Gives back the space of deleted rows between two keys; undefined = from the first, up to the last. */
  async compactBetween(from: string | undefined, to: string | undefined): Promise<void> {
    await this.#contents.db.compactRange(itemKey(from ?? ''), to === undefined ? Buffer.from([ITEM + 1]) : itemKey(to));
  }

  /** LevelDB's tables that hold items, from its newest level to its oldest. */
  itemTables(): LevelTable[] {
    return readLevelTables(this.#contents.db.getProperty('leveldb.sstables'));
  }

  /** Bytes of tables: of items, and of the part of the index that is swept; and bytes of LevelDB's logs. */
  levelUse(): Promise<LevelUse> {
    return levelUse(this.directory, this.#contents.db, this.#contents.state.indexFloor);
  }

  /**
   * Forces all that was staged before the call to disk. Then removes the value segments that became
   * empty before it: nothing refers to them any more, not even after a power failure.
   *
   * @throws TugelaError TUGELA_STORE_FAILED while writes are refused, or when the disk fails: then they are from now on
   */
  sync(): Promise<void> {
    return this.#sync.sync();
  }

  /**
   * Removes the value segments that nothing refers to, once it is on disk that nothing does. Values that were stored meanwhile
   * are not forced to disk for that. Throws as `sync` does.
   */
  removeEmpty(): Promise<void> {
    return this.#sync.removeEmpty();
  }

  /** LevelDB's own account: files and sizes per level, compaction time and bytes. */
  levelStats(): string {
    return this.#contents.db.getProperty('leveldb.stats');
  }

  levelMemory(): number {
    return Number(this.#contents.db.getProperty('leveldb.approximate-memory-usage'));
  }

  /** Bytes of LevelDB's files. */
  levelDiskBytes(): Promise<number> {
    return levelDiskBytes(this.directory);
  }

  /** Writes out what is in memory alone, commits what is staged, forces it to disk and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#pipeline.failure === undefined) {
        await this.#writes.writeOut();
        this.#pipeline.stateChanged();
        await this.sync();
      }
    } finally {
      await this.#contents.db.close();
      await this.#held?.stop();
      await this.copies.idle();
      this.#contents.values.close();
    }
  }

  /**
   * Opens LevelDB anew after a failed batch. What was staged and not committed is lost, as its
   * writers were told. Reads must not be under way.
   *
   * @throws TugelaError when it cannot be opened; it stays failed.
   */
  async reopen(): Promise<void> {
    // Their segments' numbers are given out anew.
    await this.copies.idle();
    await this.#pipeline.idle();
    const loaded = await this.#contents.openAnew(this.#pipeline.committedGroup);
    // From here on in one step.
    this.#contents.replace(loaded);
    this.#index.clear();
    this.#space.clear();
    this.copies.clear();
    this.#pipeline.resume();
  }

  /** A group with these entries was not committed. */
  #lose(entries: ReadonlyMap<string, Item | null>, error: Error): void {
    this.#index.clear();
    this.#writes.lose(entries.keys());
    this.#options.onFailed(entries.keys(), error);
  }
}
