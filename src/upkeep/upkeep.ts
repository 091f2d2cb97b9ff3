import { statfs } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import { messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { probeWriting } from '../store/write-probe.ts';
import { EphemeralSweep } from './ephemeral-sweep.ts';
import type { Evictor } from './evictor.ts';
import { Evictors } from './evictors.ts';
import { FlushReclaim } from './flush-reclaim.ts';
import { LocalTarget } from './local-target.ts';
import { LoopDelay } from './loop-delay.ts';
import { PrefixDelete, type PrefixJob } from './prefix-delete.ts';
import type { QuotaKeeper } from './quota-keeper.ts';
import { RoomQueue } from './room-queue.ts';
import { RowCompactor } from './row-compactor.ts';
import type { SweepTarget } from './sweep-target.ts';
import { ValueCollector } from './value-collector.ts';

/** Milliseconds between two looks at what is to be done. */
const TICK_MS = 1000;
/** A failed store is opened anew from so many free bytes, or this share of a small file system, on. */
const REOPEN_FREE_BYTES = 64 * 2 ** 20;
const REOPEN_FREE_SHARE = 0.1;
/**
 * Empty value segments are removed without waiting for the next timed sync when they are so many bytes, and this share of the value
 * log or a size that no store should waste.
 */
const EMPTY_BYTES_MIN = 2 ** 20;
const EMPTY_BYTES_MAX = 256 * 2 ** 20;
const EMPTY_SHARE = 1 / 16;

/** Share of where eviction begins from which on dead values are given back sooner: better they go than live ones. */
const TIGHT_SHARE = 0.9;

/** Milliseconds between two lines in the log about the limit. */
const FULL_SAID_MS = 60_000;
/** Seconds after its last report for which a daemon is taken to be there: it reports every 5 s. */
const DAEMON_REPORTS_SECONDS = 10;
/** Lateness of the event loop, in milliseconds, up to which the server counts as calm: half of what strains the daemon. */
const CALM_MS = 5;

/** Milliseconds after which dead rows are looked at however busy the server is, or the disk would grow without bound. */
const COMPACT_PATIENCE_MS = 15_000;

/** Bytes of the key that a pass has come to, as stats show it; those of the expiry daemon show as many. */
const CURSOR_BYTES = 32;

/** One sweep of the TTL index until nothing is due; the policy is the expiry daemon's. */
export type Sweep = (target: SweepTarget, signal: AbortSignal) => Promise<void>;

export interface UpkeepOptions {
  readonly cache: Cache;
  readonly store: Store;
  readonly logger: Logger;
  /** Seconds between forced writes to disk; 0 = never by timer. */
  readonly syncEvery: number;
  /** Seconds between sweeps in this process; 0 = only when asked for. */
  readonly expireEvery: number;
  readonly sweep: Sweep;
  /** Keeps a limit on bytes on disk; undefined = there is none. */
  readonly evictor?: Evictor | undefined;
  /** Keeps prefixes below their quotas; undefined = there are none. */
  readonly quotas?: QuotaKeeper | undefined;
  /** False: at the limit stores are refused rather than items evicted. */
  readonly evicts?: boolean;
}

/**
 * All that the server does by itself: timed syncs, sweeps in this process, reclaiming what was flushed,
 * rewriting half-dead value segments, compacting dead rows where no daemon asks for it, and opening the store anew after a failed write.
 */
export class Upkeep {
  readonly target: LocalTarget;
  readonly #options: UpkeepOptions;
  readonly #ephemeral: EphemeralSweep;
  readonly #flush: FlushReclaim;
  readonly #prefixes: PrefixDelete;
  readonly #collector: ValueCollector;
  readonly #compactor: RowCompactor;
  readonly #room = new RoomQueue(
    (bytes) => this.#fits(bytes),
    () => this.#options.evictor?.bytesGivenUp ?? 0,
  );
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** How late the event loop is. */
  readonly loop: LoopDelay = new LoopDelay();
  #timer: NodeJS.Timeout | undefined;
  #syncDue: number;
  #sweepDue: number;
  #sweeping = false;
  #tending = false;
  /** When there was last a look at dead rows. */
  #compactedAtMs = performance.now();
  #failureSeen: Error | undefined;
  /** Why the store could not be opened anew when that was last said. */
  #obstacleSaid: string | undefined;
  #sweeps = 0;
  #reopens = 0;
  /** Stores are refused for want of room. */
  #isFull = false;
  #timesFull = 0;
  #fullSaidAtMs = Number.NEGATIVE_INFINITY;
  /** Why the server evicts by itself, as far as it was said: each once. */
  readonly #reasonsSaid = new Set<string>();

  constructor(options: UpkeepOptions) {
    this.#options = options;
    const { cache, store } = options;
    this.#compactor = new RowCompactor(store);
    const busyMs = (): number => this.loop.lastSecondMs;
    if (options.quotas !== undefined) options.quotas.limits.onHigh = () => this.#evictForQuotas();
    this.#ephemeral = new EphemeralSweep(cache.residency, store);
    this.#flush = new FlushReclaim(cache.residency, store, busyMs);
    this.#prefixes = new PrefixDelete(cache.residency, store, busyMs);
    this.#collector = new ValueCollector(cache.residency, store, {
      busyMs,
      isDeleting: () => this.#prefixes.running || this.#flush.running,
      diskLimit: options.evictor?.budget.limit,
      isTight: () => options.evictor !== undefined && options.evictor.used > TIGHT_SHARE * options.evictor.budget.begin,
    });
    const evictors = options.evicts === false ? [] : [options.evictor, options.quotas?.evictor].filter((each) => each !== undefined);
    const evictor = evictors.length === 0 ? undefined : new Evictors(evictors);
    this.target = new LocalTarget(cache, store, { busyMs, evictor, compactor: this.#compactor, collector: this.#collector });
    this.#syncDue = performance.now() + options.syncEvery * 1000;
    // The first sweep comes at once: what became due while the server was down is swept then.
    this.#sweepDue = performance.now();
  }

  start(): void {
    this.loop.start();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#deletePrefixes();
    this.#tendQuotas();
  }

  /** Begins to delete all items under a prefix that are stored by now; resolves with the job's number. */
  async deletePrefix(prefix: string): Promise<number> {
    const number = await this.#prefixes.start(prefix);
    this.#deletePrefixes();
    return number;
  }

  /** Deletes of prefixes: those not over, and the latest that are. */
  prefixJobs(): readonly PrefixJob[] {
    return this.#prefixes.list();
  }

  /** Starts a sweep in this process; false when one is under way. */
  startSweep(): boolean {
    if (this.#sweeping || this.#abort.signal.aborted) return false;
    this.#track(this.#runSweep(this.target.forOneSweep()), 'sweep failed');
    return true;
  }

  /**
   * Whether there is room for another item of so many bytes. Where there will soon be none, eviction begins, without waiting for the
   * next look.
   */
  hasRoom(bytes: number): boolean {
    const { evictor, logger } = this.#options;
    if (evictor === undefined) return true;
    const { used, budget } = evictor;
    if (this.#fits(bytes)) {
      this.#isFull = false;
      return true;
    }
    if (!this.#isFull) {
      this.#isFull = true;
      this.#timesFull++;
      const now = performance.now();
      // Under more writing than the disk can take it comes and goes; `disk_times_full` counts.
      if (now - this.#fullSaidAtMs >= FULL_SAID_MS) {
        this.#fullSaidAtMs = now;
        logger.error({ bytes: used, limit: budget.limit }, 'disk limit reached, stores are refused while there is no room');
      }
    }
    return false;
  }

  /**
   * Holds a store back while there is no room for its bytes and eviction may make some; `done` is called when it is time to
   * ask again. False when it is not held.
   */
  holdForRoom(bytes: number, done: () => void): boolean {
    const { evictor, evicts, store } = this.#options;
    if (evictor === undefined || evicts === false || store.failure !== undefined) return false;
    // What exceeds the limit by itself never fits.
    return bytes < evictor.budget.full && this.#room.hold(bytes, done);
  }

  /** Whether a sweep in this process is under way, and how many were started. */
  get sweeps(): { readonly running: boolean; readonly started: number } {
    return { running: this.#sweeping, started: this.#sweeps };
  }

  /** Bytes on disk of dead rows, an estimate. */
  async deadRowBytes(): Promise<number> {
    return (await this.#compactor.weigh()).dead;
  }

  /** Names and values for `stats storage`. */
  stats(): [string, string | number][] {
    const { scanned, cursor } = this.#flush.progress;
    return [
      ['sweeps_in_process', this.#sweeps],
      ['sweep_running', this.#sweeping ? 1 : 0],
      ['flush_reclaim_running', this.#flush.running ? 1 : 0],
      ['flush_reclaimed_items', this.#flush.deleted],
      ['flush_reclaim_scanned', scanned],
      ['flush_reclaim_cursor', cursor === undefined ? '-' : Buffer.from(cursor, 'latin1').toString('hex', 0, CURSOR_BYTES)],
      ['prefix_delete_jobs', this.#prefixes.waiting],
      ['prefix_delete_running', this.#prefixes.running ? 1 : 0],
      ['prefix_delete_deleted', this.#prefixes.done.items],
      ['prefix_delete_bytes', this.#prefixes.done.bytes],
      ['value_gc_running', this.#collector.running ? 1 : 0],
      ['value_gc_segments', this.#collector.done.segments],
      ['value_gc_bytes_copied', this.#collector.done.bytes],
      ['value_gc_bytes_given_back', this.#collector.done.freed],
      ['compaction_running', this.#compactor.running ? 1 : 0],
      ['compactions', this.#compactor.done.runs],
      ['compacted_bytes', this.#compactor.done.bytes],
      ['store_reopens', this.#reopens],
      ...this.#evictionStats(),
      ...(this.#options.quotas?.stats() ?? []),
      ['loop_delay_ms', this.loop.lastSecondMs.toFixed(1)],
    ];
  }

  #evictionStats(): [string, string | number][] {
    const { evictor, store } = this.#options;
    if (evictor === undefined) return [];
    const { budget, done } = evictor;
    return [
      ['disk_limit_bytes', budget.limit],
      ['disk_used_bytes', Math.round(evictor.used)],
      ['disk_evict_from_bytes', Math.round(budget.begin)],
      ['disk_evict_to_bytes', Math.round(budget.low)],
      ['disk_refuse_from_bytes', Math.round(budget.full)],
      ['disk_full', this.#isFull ? 1 : 0],
      ['disk_times_full', this.#timesFull],
      ['disk_stores_waiting', this.#room.waiting],
      ['disk_stores_held', this.#room.held],
      ['eviction_running', evictor.running ? 1 : 0],
      ['evicted_total', store.state.evicted],
      ['eviction_scanned', done.scanned],
      ['eviction_kept', done.kept],
      ['eviction_kept_bytes', done.keptBytes],
      ['eviction_dead', done.dead],
      ['eviction_bytes', done.bytes],
    ];
  }

  /** Ends all work, within the step it is at. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#ephemeral.stop();
    this.#room.stop();
    this.loop.stop();
    this.#abort.abort();
    await Promise.allSettled(this.#running);
  }

  #tick(): void {
    const { cache, store, syncEvery, expireEvery } = this.#options;
    this.loop.tick();
    const time = performance.now();
    if (store.failure !== undefined) {
      if (!this.#tending) this.#track(this.#tend(store.failure), 'store cannot be opened anew');
      return;
    }
    // A flush_all whose time has come takes effect even if nobody asks.
    const now = cache.now();
    this.#ephemeral.start();
    if (this.#flush.isNeeded && !this.#flush.running) this.#track(this.#flush.run(this.#abort.signal), 'reclaiming flushed items failed');
    this.#deletePrefixes();
    if (!this.#collector.running && this.#collector.candidate(now) !== undefined) {
      this.#track(this.#collector.run(() => cache.now(), this.#abort.signal), 'rewriting value segments failed');
    }
    if (syncEvery > 0 && time >= this.#syncDue) {
      this.#syncDue = time + syncEvery * 1000;
      this.#track(store.sync(), 'sync failed');
    } else if (this.#isEmptied()) {
      this.#track(store.removeEmpty(), 'sync failed');
    }
    this.#tendDisk();
    this.#compact();
    this.#tendQuotas();
    if (expireEvery > 0 && time >= this.#sweepDue) {
      this.#sweepDue = time + expireEvery * 1000;
      // Sweeps that come again and again are as good as a daemon.
      if (!this.#sweeping) this.#track(this.#runSweep(this.target), 'sweep failed');
    }
  }

  /** REQUIRES: no sweep is under way. */
  #runSweep(target: SweepTarget): Promise<void> {
    this.#sweeping = true;
    this.#sweeps++;
    return this.#options.sweep(target, this.#abort.signal).finally(() => (this.#sweeping = false));
  }

  #fits(bytes: number): boolean {
    const { evictor, evicts } = this.#options;
    if (evictor === undefined) return true;
    const { used, budget } = evictor;
    if (evicts !== false && used > budget.high && !evictor.running) this.#evict();
    return used + bytes < budget.full;
  }

  #isEmptied(): boolean {
    const { emptyBytes, values } = this.#options.store;
    return emptyBytes >= EMPTY_BYTES_MIN && emptyBytes >= Math.min(EMPTY_BYTES_MAX, values.bytes * EMPTY_SHARE);
  }

  /** Makes room if the limit is near, and no daemon does: what has expired goes first where there is time for that. */
  #tendDisk(): void {
    const { evictor, evicts } = this.#options;
    if (evictor === undefined) return;
    this.#track(evictor.measure(), 'measuring the store failed');
    if (evicts === false || evictor.excess === 0) return;
    if (evictor.used > evictor.budget.high) this.#evict();
    if (!this.#hasDaemon && !this.#sweeping) this.#track(this.#sweepAndEvict(evictor), 'sweep failed');
  }

  async #sweepAndEvict(evictor: Evictor): Promise<void> {
    const { cache, store } = this.#options;
    const oldest = await store.oldestDeadline();
    const isDue = oldest !== 0 && oldest <= cache.now();
    if (isDue && !this.#sweeping && !this.#abort.signal.aborted) await this.#runSweep(this.target.forOneSweep());
    if (evictor.excess > 0) this.#evict();
  }

  /** Compacts a range if that pays, the server is calm, and no daemon asks for it. */
  #compact(): void {
    if (this.#hasDaemon || this.#compactor.running) return;
    const now = performance.now();
    if (this.loop.lastSecondMs > CALM_MS && now - this.#compactedAtMs < COMPACT_PATIENCE_MS) return;
    this.#compactedAtMs = now;
    this.#track(
      this.#compactor.step().then(() => undefined),
      'compacting failed',
    );
  }

  /** A daemon is there, and evicts as it sees fit. */
  get #hasDaemon(): boolean {
    return this.target.daemonAge <= DAEMON_REPORTS_SECONDS;
  }

  /** Counts what prefixes with quotas have, and evicts under them if no daemon does. */
  #tendQuotas(): void {
    const { quotas, evicts } = this.#options;
    if (quotas === undefined) return;
    quotas.tellRefused();
    if (quotas.count.isNeeded && !quotas.count.running) this.#track(quotas.runCount(this.#abort.signal), 'counting prefixes with quotas failed');
    if (evicts === false || quotas.evictor.excess === 0) return;
    if (!this.#hasDaemon || quotas.limits.isAnyHigh) this.#evictForQuotas();
  }

  #evictForQuotas(): void {
    const { quotas, evicts, store } = this.#options;
    if (quotas === undefined || evicts === false || quotas.evictor.running || this.#abort.signal.aborted || store.failure !== undefined) return;
    this.#track(quotas.runEviction(this.#abort.signal), 'evicting below quotas failed');
  }

  #evict(): void {
    const { evictor, logger } = this.#options;
    if (evictor === undefined || evictor.running || this.#abort.signal.aborted || this.#options.store.failure !== undefined) return;
    const reason = this.#hasDaemon ? 'the expiry daemon does not keep up' : 'no expiry daemon reports';
    if (!this.#reasonsSaid.has(reason)) {
      this.#reasonsSaid.add(reason);
      logger.info({ bytes: evictor.used, limit: evictor.budget.limit }, `near the disk limit, evicting what was not read lately: ${reason}`);
    }
    this.#track(
      evictor.evict(Number.POSITIVE_INFINITY, this.#abort.signal).then(() => undefined),
      'evicting failed',
    );
  }

  #deletePrefixes(): void {
    if (!this.#prefixes.isNeeded || this.#prefixes.running || this.#abort.signal.aborted) return;
    this.#track(this.#prefixes.run(this.#abort.signal), 'deleting a prefix failed');
  }

  /** Says once that writes fail, and opens the store anew when there is room on the disk, and it can be written to. */
  async #tend(failure: Error): Promise<void> {
    const { store, logger } = this.#options;
    this.#tending = true;
    try {
      if (this.#failureSeen !== failure) {
        this.#failureSeen = failure;
        logger.error({ err: failure }, 'writes are refused until the store can be opened anew; reads go on');
      }
      const { bavail, blocks, bsize } = await statfs(store.directory);
      if (bavail * bsize < Math.min(REOPEN_FREE_BYTES, blocks * bsize * REOPEN_FREE_SHARE)) return;
      try {
        await probeWriting(store.directory);
        await this.#options.cache.residency.whileQuiet(() => store.reopen());
      } catch (error) {
        // Tried every second, and said once.
        if (messageOf(error) !== this.#obstacleSaid) logger.error({ err: error }, 'store cannot be opened anew');
        this.#obstacleSaid = messageOf(error);
        return;
      }
      this.#reopens++;
      this.#failureSeen = undefined;
      this.#obstacleSaid = undefined;
      logger.info('store opened anew, writes are accepted again');
    } finally {
      this.#tending = false;
    }
  }

  #track(work: Promise<void>, failed: string): void {
    const tracked = work
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#options.logger.error({ err: error }, failed);
      })
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
}
