import { messageOf, TugelaError } from '../errors.ts';
import { CommitGroup, type CommitWaiter } from './commit-group.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import type { GroupWriter } from './group-writer.ts';
import { RowSnapshot } from './row-snapshot.ts';

/** Told of the keys of a group that was not committed. */
type OnLost = (entries: CommitGroup['entries'], error: Error) => void;

/**
 * Group commit. One group is being written at a time; all that is staged meanwhile goes into the next. Once one could not
 * be written none is, until `resume`.
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

  constructor(contents: Contents, writer: GroupWriter, commits: CommitStats, onLost: OnLost) {
    this.#contents = contents;
    this.#writer = writer;
    this.#commits = commits;
    this.#onLost = onLost;
  }

  /** The group that is being written, if any. */
  get inFlight(): CommitGroup | undefined {
    return this.#inFlight;
  }

  /** Why nothing is committed, if nothing is: LevelDB must be opened anew before it can be trusted with writes. */
  get failure(): Error | undefined {
    return this.#failure;
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

  /** True when something is staged or being written. */
  get hasPending(): boolean {
    return this.#inFlight !== undefined || !this.staged.isEmpty;
  }

  /** A mutation was staged: it is committed soon, with what else comes in this turn of the event loop. */
  changed(): void {
    this.staged.mutations++;
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

  /** Resolves when all that is staged now is committed; rejects when it could not be. */
  committed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.whenCommitted({ committed: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }

  /** Commits nothing from now on. */
  stop(failure: Error): void {
    this.#failure = failure;
  }

  /** LevelDB was opened anew. What was staged since the failure is lost, as its writers are told. */
  resume(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    // It is counted in what was replaced.
    if (failure !== undefined) this.#dropStaged(failure);
  }

  async #commit(): Promise<void> {
    if (this.#committing) return;
    // Between two groups too, when waiters stage more: a second loop would write groups side by side, in any order.
    this.#committing = true;
    try {
      while (!this.staged.isEmpty || this.staged.waiters.length > 0) {
        const group = this.staged;
        const number = this.#groups++;
        this.staged = new CommitGroup();
        this.#inFlight = group;
        let error = this.#failure;
        if (error === undefined) {
          try {
            await this.#writer.write(group);
            // Nothing is written in between: it shows this group and no later one.
            for (const waiter of group.countWaiters) waiter.begun(new RowSnapshot(this.#contents.db));
          } catch (cause) {
            error = new TugelaError('TUGELA_STORE_FAILED', `Cannot write to store at ${this.#contents.directory}: ${messageOf(cause)}`, { cause });
          }
        }
        this.#inFlight = undefined;
        this.#settledGroups = number;
        if (error !== undefined) this.#fail(group, error);
        for (const waiter of group.waiters) waiter.committed(error);
        // Who was just told sends more: with it the next group is half as large again, which is worth more than the wait.
        if (error === undefined) await afterNextPoll();
      }
    } finally {
      this.#committing = false;
    }
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
