import { messageOf, TugelaError } from '../errors.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import { syncLevelLogs } from './log-sync.ts';
import type { ValueSpace } from './value-space.ts';

/** Forces what is committed to disk, and removes the value segments that nothing refers to after that. */
export class StoreSync {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  readonly #space: ValueSpace;
  readonly #commits: CommitStats;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  /** The call that waits is to force values to disk as well. */
  #wantsValues = false;

  /** `commits.syncs` is kept up to date. */
  constructor(contents: Contents, pipeline: CommitPipeline, space: ValueSpace, commits: CommitStats) {
    this.#contents = contents;
    this.#pipeline = pipeline;
    this.#space = space;
    this.#commits = commits;
  }

  /**
   * As `Store.sync`. Calls that come while one waits for another to end share it.
   *
   * @throws TugelaError TUGELA_STORE_FAILED
   */
  sync(): Promise<void> {
    this.#wantsValues = true;
    return this.#enqueue();
  }

  /**
   * As `Store.removeEmpty`: forces rows alone to disk. What was stored in place of what was in an empty segment need not be: a loss
   * of power may take it as anything else that was stored since the last sync. What was moved out of it was forced to disk before.
   * Throws as `sync` does.
   */
  removeEmpty(): Promise<void> {
    return this.#enqueue();
  }

  #enqueue(): Promise<void> {
    if (this.#pipeline.failure !== undefined) return Promise.reject(this.#pipeline.failure);
    if (this.#queued !== undefined) return this.#queued;
    const run = async (): Promise<void> => {
      await this.#running?.catch(() => {});
      this.#queued = undefined;
      const withValues = this.#wantsValues;
      this.#wantsValues = false;
      this.#running = this.#syncNow(withValues).finally(() => (this.#running = undefined));
      await this.#running;
    };
    this.#queued = run();
    return this.#queued;
  }

  async #syncNow(withValues: boolean): Promise<void> {
    const empty = this.#space.empty();
    if (this.#pipeline.hasPending) await this.#pipeline.inLevel();
    const { directory, values } = this.#contents;
    try {
      if (withValues) await values.sync();
      await syncLevelLogs(directory);
    } catch (cause) {
      // After a failed fsync the kernel may call the next one good although data is lost.
      const failure = new TugelaError('TUGELA_STORE_FAILED', `Cannot force store at ${directory} to disk: ${messageOf(cause)}`, { cause });
      this.#pipeline.stop(failure);
      throw failure;
    }
    this.#commits.syncs++;
    await this.#space.remove(empty);
  }
}
