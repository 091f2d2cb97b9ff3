import type { Residency } from '../cache/residency.ts';
import { TugelaError } from '../errors.ts';
import type { JobRow } from '../store/job-row.ts';
import type { Store } from '../store/store.ts';
import { calmShare, Pauses, type Rest } from './pauses.ts';

/** Items looked at per step: few enough that a step holds up the event loop for a fraction of a millisecond. */
const STEP_ITEMS = 32;
/** Items in memory alone looked at per step: nothing is read for them, and nothing written. */
const EPHEMERAL_STEP_ITEMS = 128;
/** Jobs that may wait at once. */
const JOBS_MAX = 1000;
/** Jobs that are over and still shown. */
const FINISHED_SHOWN = 16;

/** A delete of a prefix, as it stands. */
export interface PrefixJob {
  /** Names the job; also the highest cas unique that an item may have to be deleted. */
  readonly number: number;
  /** A latin1 string. */
  readonly prefix: string;
  readonly deleted: number;
  readonly bytes: number;
  readonly state: 'waiting' | 'running' | 'done';
}

/**
 * Deletes all items under a prefix in the background: those stored before the job began, whatever is stored
 * meanwhile. Jobs run one after the other, in the order they were asked for, in steps that each wait for their
 * commit and then rest, so that clients have three quarters of the time at least.
 *
 * How far a job has come is a row that is written with what it deleted, so it goes on there after a restart or a
 * failed write. Its number is a cas unique, hence never given out twice.
 */
export class PrefixDelete {
  readonly #residency: Residency;
  readonly #store: Store;
  readonly #busyMs: () => number;
  readonly #pauses: Pauses;
  /** Jobs not over, in the order of their numbers; what is here is committed or being committed. */
  #jobs = new Map<number, JobRow>();
  /** The latest jobs that are over, oldest first. */
  #finished: PrefixJob[] = [];
  /** False when what is on disk counts: at the start, and after a write that failed. */
  #isLoaded = false;
  #running = false;
  /** The job under way. */
  #current: number | undefined;
  /** Items deleted since the process started, and the bytes of their keys and values. */
  readonly done: { items: number; bytes: number } = { items: 0, bytes: 0 };

  /** `busyMs` = by how much the event loop was late lately. */
  constructor(residency: Residency, store: Store, busyMs: () => number, rest?: Rest) {
    this.#residency = residency;
    this.#store = store;
    this.#busyMs = busyMs;
    this.#pauses = new Pauses(rest);
  }

  /** True when there may be something to run. */
  get isNeeded(): boolean {
    return !this.#isLoaded || this.#jobs.size > 0;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Jobs that are not over. */
  get waiting(): number {
    return this.#jobs.size;
  }

  /** Jobs that are not over, in order, and behind them the latest that are. */
  list(): readonly PrefixJob[] {
    const open = [...this.#jobs].map(
      ([number, job]): PrefixJob => ({
        number,
        prefix: job.prefix,
        deleted: job.deleted,
        bytes: job.bytes,
        state: number === this.#current ? 'running' : 'waiting',
      }),
    );
    return [...open, ...this.#finished];
  }

  /**
   * Adds a job for what is stored by now, and resolves with its number when it is sure to be done; `run` does it.
   * REQUIRES: the prefix is not empty.
   *
   * @throws TugelaError TUGELA_STORE_FAILED while writes are refused, and when too many jobs wait
   */
  async start(prefix: string): Promise<number> {
    if (this.#jobs.size >= JOBS_MAX) throw new TugelaError('TUGELA_STORE_FAILED', `Cannot delete more prefixes at once than ${JOBS_MAX}`);
    const number = this.#store.nextCas();
    const job: JobRow = { prefix, after: undefined, deleted: 0, bytes: 0 };
    this.#store.changeJob(number, job);
    await this.#store.inLevel();
    // Commits end in order, so jobs come in here in order too; a load may have found it already.
    if (!this.#jobs.has(number)) this.#jobs.set(number, job);
    return number;
  }

  /** Runs until no job is left, or `signal` ends it. What it was at goes on with the next run. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      if (!this.#isLoaded) await this.#load();
      for (;;) {
        const [next] = this.#jobs;
        if (next === undefined || signal.aborted) return;
        await this.#delete(next[0], signal);
      }
    } catch (error) {
      // What was staged is lost, and with it the place that is remembered here.
      this.#isLoaded = false;
      throw error;
    } finally {
      this.#current = undefined;
      this.#running = false;
    }
  }

  async #load(): Promise<void> {
    // A job whose commit is under way may or may not be found.
    const before = new Set(this.#jobs.keys());
    await this.#store.inLevel();
    const jobs = await this.#store.jobs();
    for (const [number, job] of this.#jobs) if (!before.has(number) && !jobs.has(number)) jobs.set(number, job);
    this.#jobs = jobs;
    this.#isLoaded = true;
  }

  async #delete(number: number, signal: AbortSignal): Promise<void> {
    this.#current = number;
    // What was stored before the job may still be on its way to where a scan sees it.
    await this.#store.inLevel();
    await this.#deleteEphemeral(number, signal);
    while (!signal.aborted) {
      const began = performance.now();
      const job = this.#jobs.get(number)!;
      const { found, next } = await this.#store.scan(job.prefix, job.after, STEP_ITEMS);
      const older = found.filter(({ item }) => item.cas <= number).map(({ key }) => key);
      if (older.length === 0) this.#jobs.set(number, { ...job, after: next });
      else await this.#deleteKeys(number, older, next);
      if (next === undefined) {
        await this.#finish(number);
        return;
      }
      await this.#pauses.after({ tookMs: performance.now() - began, items: found.length }, calmShare(this.#busyMs()), signal);
    }
  }

  /** Deletes what is in memory alone. Its next step on disk writes how many there were. */
  async #deleteEphemeral(number: number, signal: AbortSignal): Promise<void> {
    const walk = this.#store.ephemeral?.walk(number);
    if (walk === undefined) return;
    let began = performance.now();
    try {
      for (let items = walk.next(EPHEMERAL_STEP_ITEMS); items.length > 0 && !signal.aborted; items = walk.next(EPHEMERAL_STEP_ITEMS)) {
        const job = this.#jobs.get(number)!;
        let { deleted, bytes } = job;
        for (const { key, item } of items) {
          if (!key.startsWith(job.prefix)) continue;
          this.#store.remove(key, item);
          this.#residency.gone(key);
          deleted++;
          bytes += key.length + item.length;
        }
        this.done.items += deleted - job.deleted;
        this.done.bytes += bytes - job.bytes;
        this.#jobs.set(number, { ...job, deleted, bytes });
        if (bytes > job.bytes) this.#store.changeState({ reclaimedBytes: this.#store.state.reclaimedBytes + bytes - job.bytes });
        await this.#pauses.after({ tookMs: performance.now() - began, items: deleted - job.deleted }, calmShare(this.#busyMs()), signal);
        began = performance.now();
      }
    } finally {
      walk.end();
    }
  }

  /** Deletes those of some keys that are still as old, and notes the place. Resolves when both are committed. */
  async #deleteKeys(number: number, keys: readonly string[], next: string | undefined): Promise<void> {
    await this.#residency.withKnown(keys, () => {
      const job = this.#jobs.get(number)!;
      let { deleted, bytes } = job;
      for (const key of keys) {
        const item = this.#residency.currentOf(key);
        if (item == null || item.cas > number) continue;
        this.#store.remove(key, item);
        this.#residency.gone(key);
        deleted++;
        bytes += key.length + item.length;
      }
      const { reclaimedBytes } = this.#store.state;
      this.#store.changeState({ reclaimedBytes: reclaimedBytes + bytes - job.bytes });
      this.done.items += deleted - job.deleted;
      this.done.bytes += bytes - job.bytes;
      const now = { prefix: job.prefix, after: next ?? keys.at(-1), deleted, bytes };
      this.#jobs.set(number, now);
      this.#store.changeJob(number, now);
    });
    await this.#store.inLevel();
  }

  async #finish(number: number): Promise<void> {
    this.#store.changeJob(number, undefined);
    await this.#store.inLevel();
    const { prefix, deleted, bytes } = this.#jobs.get(number)!;
    this.#jobs.delete(number);
    this.#current = undefined;
    this.#finished = [...this.#finished, { number, prefix, deleted, bytes, state: 'done' as const }].slice(-FINISHED_SHOWN);
  }
}
