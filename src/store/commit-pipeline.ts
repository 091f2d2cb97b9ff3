import { messageOf, TugelaError } from '../errors.ts';
import type { Item } from '../item.ts';
import { CommitGroup, type CommitWaiter } from './commit-group.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import type { DeferredRows } from './deferred-rows.ts';
import type { GroupWriter } from './group-writer.ts';
import { RowSnapshot } from './row-snapshot.ts';
import type { GroupNumber } from './value-record.ts';

/** Bytes of deferred rows, with their small values, from which on they are written: some 700 with values of 1 KB. */
const DEFERRED_BYTES = 2 ** 20;
/** Milliseconds that rows are deferred at most while nothing else has them written. */
const DEFERRED_MS = 100;

/** Told of the keys of a group that was not committed. */
type OnLost = (entries: ReadonlyMap<string, Item | null>, error: Error) => void;

/**
 * Group commit. One group is being written at a time; all that is staged meanwhile goes into the next. Once one could not
 * be written none is, until `resume`.
 *
 * A group is committed when its records are written, the last of which tells what the others do not: after a crash its rows are made
 * from them (tail-replay.ts). So its rows are deferred, and written with those of others in one batch, beside the groups that come
 * after them.
 */
export class CommitPipeline {
  readonly #contents: Contents;
  readonly #writer: GroupWriter;
  readonly #commits: CommitStats;
  readonly #onLost: OnLost;
  /** What the next batch will hold. Who adds to it calls `changed`. */
  staged: CommitGroup = new CommitGroup();
  #inFlight: CommitGroup | undefined;
  #groups = 1;
  #settledGroups = 0;
  #scheduled = false;
  #committing = false;
  #failure: Error | undefined;
  /** Rows of committed groups that are in no batch yet. */
  #deferred: DeferredRows;
  /** The batch of such that is being written beside groups, and when it has ended, well or not. */
  #sealed: { readonly rows: DeferredRows; written: Promise<void> } | undefined;
  /** The deferred rows are to be written with the next group. */
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  /** The last group that was committed by its records, as far as they count. */
  #committedGroup: GroupNumber;

  constructor(contents: Contents, writer: GroupWriter, commits: CommitStats, onLost: OnLost) {
    this.#contents = contents;
    this.#writer = writer;
    this.#commits = commits;
    this.#onLost = onLost;
    this.#deferred = writer.newRows();
    this.#committedGroup = writer.newest;
  }

  /** The group that is being written, if any. */
  get inFlight(): CommitGroup | undefined {
    return this.#inFlight;
  }

  /** Why nothing is committed, if nothing is: LevelDB must be opened anew before it can be trusted with writes. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The newest state of a key that LevelDB does not have yet: staged, being written, or committed; null = deleted. */
  pending(key: string): Item | null | undefined {
    const item = this.staged.entries.get(key);
    if (item !== undefined) return item;
    const inFlight = this.#inFlight?.entries.get(key);
    if (inFlight !== undefined) return inFlight;
    const deferred = this.#deferred.entries.get(key);
    return deferred !== undefined ? deferred : this.#sealed?.rows.entries.get(key);
  }

  /** Items that are committed and have no row in LevelDB yet. */
  get deferredItems(): number {
    return this.#deferred.entries.size + (this.#sealed?.rows.entries.size ?? 0);
  }

  /** The last group of what is committed; what is in the value log of later ones was never acknowledged. */
  get committedGroup(): GroupNumber {
    return this.#committedGroup;
  }

  /** Earliest deadline that LevelDB's index does not have yet; Infinity without any. */
  earliestHint(): number {
    return Math.min(this.staged.earliestHint(), this.#inFlight?.earliestHint() ?? Number.POSITIVE_INFINITY, this.#deferred.earliestHint(), this.#sealed?.rows.earliestHint() ?? Number.POSITIVE_INFINITY);
  }

  /** Bytes staged and not yet committed, with what keeping them in order takes. */
  get pendingBytes(): number {
    return this.staged.bytes + (this.#inFlight?.bytes ?? 0);
  }

  /** Number of the group that is being staged. Groups are committed in order. */
  get stagingGroup(): number {
    return this.#groups;
  }

  /** Number of the last group that was committed, or failed. */
  get settledGroup(): number {
    return this.#settledGroups;
  }

  /** True when something is staged or being written that is not committed. */
  get hasUncommitted(): boolean {
    return this.#inFlight !== undefined || !this.staged.isEmpty;
  }

  /** True when LevelDB does not have all that is staged. */
  get hasPending(): boolean {
    return this.hasUncommitted || !this.#deferred.isEmpty || this.#sealed !== undefined;
  }

  /** A mutation was staged: it is committed soon, with what else comes in this turn of the event loop. */
  changed(): void {
    this.staged.mutations++;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#committing) return;
    this.#scheduled = true;
    // After the poll phase: all requests that arrived together are committed together.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#commit();
    });
  }

  /** The same for what no item, index or job row of the group carries. */
  stateChanged(): void {
    this.staged.stateChanged = true;
    this.changed();
  }

  /** Tells a waiter when all that is staged now is committed; soon, but never within the call, when nothing is. */
  whenCommitted(waiter: CommitWaiter): void {
    if (!this.staged.isEmpty) this.staged.waiters.push(waiter);
    else if (this.#inFlight !== undefined) this.#inFlight.waiters.push(waiter);
    else queueMicrotask(() => waiter.committed(this.#failure));
  }

  /** Resolves when LevelDB has all that is staged now; rejects when it could not be written. */
  inLevel(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: CommitWaiter = { committed: (error) => (error === undefined ? resolve() : reject(error)) };
      if (!this.hasPending) {
        this.whenCommitted(waiter);
        return;
      }
      this.staged.changesRows = true;
      this.staged.waiters.push(waiter);
      this.#schedule();
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#sealed?.written;
    while (this.#inFlight !== undefined) await new Promise((resolve) => setImmediate(resolve));
    await this.#sealed?.written;
  }

  /** Commits nothing from now on. */
  stop(failure: Error): void {
    this.#failure = failure;
  }

  /** LevelDB was opened anew. What was staged since the failure is lost, as its writers are told. */
  resume(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    const unwritten = [this.#deferred, this.#sealed?.rows];
    this.#deferred = this.#writer.newRows();
    this.#sealed = undefined;
    if (failure === undefined) return;
    // Rows were made from records when LevelDB was opened, but not of moves: the items are where they were before.
    for (const rows of unwritten) if (rows !== undefined) this.#onLost(rows.entries, failure);
    // It is counted in what was replaced.
    this.#dropStaged(failure);
  }

  async #commit(): Promise<void> {
    if (this.#committing) return;
    // Between two groups too, when waiters stage more: a second loop would write groups side by side, in any order.
    this.#committing = true;
    try {
      while (!this.staged.isEmpty || this.staged.waiters.length > 0 || (this.#isDue && !this.#deferred.isEmpty && this.#failure === undefined)) {
        const isLast = this.#endsBatch(this.staged);
        // Batches are written one after the other; more comes for this one meanwhile.
        if (isLast && this.#sealed !== undefined && this.#failure === undefined) {
          await this.#sealed.written;
          continue;
        }
        const group = this.staged;
        const number = this.#groups++;
        this.staged = new CommitGroup();
        this.#inFlight = group;
        let error = this.#failure;
        if (error === undefined) {
          try {
            await this.#write(group, isLast);
            // Nothing is written in between: it shows this group and no later one.
            for (const waiter of group.countWaiters) waiter.begun(new RowSnapshot(this.#contents.db));
          } catch (cause) {
            error = this.#failureOf(cause);
          }
        }
        this.#inFlight = undefined;
        this.#settledGroups = number;
        if (error !== undefined) {
          // The group's own rows, if they are in it, never count.
          if (this.#sealed?.rows.hasCommitted === false) this.#sealed = undefined;
          this.#fail(group, error);
        }
        for (const waiter of group.waiters) waiter.committed(error);
        // Who was just told sends more: with it the next group is half as large again, which is worth more than the wait.
        if (error === undefined) await afterNextPoll();
      }
    } finally {
      this.#committing = false;
    }
  }

  /** True when a batch ends with this group, with all rows that were deferred. */
  #endsBatch(group: CommitGroup): boolean {
    return this.#isDue || !this.#writer.mayDefer(group) || this.#deferred.bytes + group.bytes >= DEFERRED_BYTES;
  }

  async #write(group: CommitGroup, isLast: boolean): Promise<void> {
    // Everything is encoded before the first await: the counters must be those of this group.
    const records = this.#writer.recordsOf(group, isLast);
    const { cas } = this.#contents.state;
    const { newest } = this.#writer;
    if (!isLast) {
      await this.#writer.writeRecords(records);
      this.#committedGroup = newest;
      this.#deferred.add(group);
      this.#deferred.commit();
      this.#timer ??= setTimeout(() => this.#writeDeferred(), DEFERRED_MS).unref();
      return;
    }
    const rows = this.#deferred;
    this.#deferred = this.#writer.newRows();
    this.#isDue = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writer.seal(rows, group);
    const sealed = { rows, written: Promise.resolve() };
    this.#sealed = sealed;
    await this.#writer.writeRecords(records);
    // Without a record that ends it nobody could tell after a crash that this batch is missing, and what comes behind it.
    if (records.length > 0 && this.#writer.mayDefer(group)) {
      rows.commit();
      this.#committedGroup = newest;
      sealed.written = this.#writeBeside(rows, cas);
    } else {
      await this.#writer.writeRows(rows, cas);
      this.#sealed = undefined;
    }
  }

  /** Writes a batch whose groups are all committed. Never rejects. */
  async #writeBeside(rows: DeferredRows, cas: number): Promise<void> {
    try {
      await this.#writer.writeRows(rows, cas);
      this.#sealed = undefined;
    } catch (cause) {
      // They stay known, until they are made anew from their records.
      const error = this.#failureOf(cause);
      this.#failure ??= error;
      this.#commits.failures++;
      this.#onLost(new Map(), error);
      this.#dropStaged(error);
    }
  }

  /** Has the deferred rows written, whether anything else is or not. */
  #writeDeferred(): void {
    this.#timer = undefined;
    this.#isDue = true;
    this.#schedule();
  }

  #failureOf(cause: unknown): TugelaError {
    return new TugelaError('TUGELA_STORE_FAILED', `Cannot write to store at ${this.#contents.directory}: ${messageOf(cause)}`, { cause });
  }

  #fail(group: CommitGroup, error: Error): void {
    this.#failure = error;
    this.#commits.failures++;
    this.#onLost(group.entries, error);
    for (const waiter of group.countWaiters) waiter.failed(error);
    this.#dropStaged(error);
  }

  #dropStaged(error: Error): void {
    const group = this.staged;
    this.staged = new CommitGroup();
    this.#onLost(group.entries, error);
    for (const waiter of group.countWaiters) waiter.failed(error);
    for (const waiter of group.waiters) waiter.committed(error);
  }
}

/** Resolves when the sockets have been looked at once more. */
function afterNextPoll(): Promise<void> {
  // The first is called after this turn's events, before the next are fetched.
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
