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
    if (this.#pipeline.failure !== undefined) return Promise.reject(this.#pipeline.failure);
    if (this.#queued !== undefined) return this.#queued;
    const run = async (): Promise<void> => {
      await this.#running?.catch(() => {});
      this.#queued = undefined;
      this.#running = this.#syncNow().finally(() => (this.#running = undefined));
      await this.#running;
    };
    this.#queued = run();
    return this.#queued;
  }

  async #syncNow(): Promise<void> {
    const empty = this.#space.empty();
    if (this.#pipeline.hasPending) await this.#pipeline.committed();
    const { directory, values } = this.#contents;
    try {
      await values.sync();
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
