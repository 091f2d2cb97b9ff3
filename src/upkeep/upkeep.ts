import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import type { Store } from '../store/store.ts';
import { FlushReclaim } from './flush-reclaim.ts';
import { LocalTarget } from './local-target.ts';
import type { SweepTarget } from './sweep-target.ts';
import { ValueCollector } from './value-collector.ts';

/** Milliseconds between two looks at what is to be done. */
const TICK_MS = 1000;
/** A failed store is opened anew from so many free bytes, or this share of a small file system, on. */
const REOPEN_FREE_BYTES = 64 * 2 ** 20;
const REOPEN_FREE_SHARE = 0.1;
/** Empty value segments that are removed without waiting for the next timed sync. */
const EMPTY_SEGMENTS_MAX = 4;

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
}

/**
 * All that the server does by itself: timed syncs, sweeps in this process, reclaiming what was flushed,
 * rewriting half-dead value segments, and opening the store anew after a failed write.
 */
export class Upkeep {
  readonly target: LocalTarget;
  readonly #options: UpkeepOptions;
  readonly #flush: FlushReclaim;
  readonly #collector: ValueCollector;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  #timer: NodeJS.Timeout | undefined;
  #busyMs = 0;
  #syncDue: number;
  #sweepDue: number;
  #sweeping = false;
  #tending = false;
  #failureSeen: Error | undefined;
  #sweeps = 0;
  #reopens = 0;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    const { cache, store } = options;
    this.target = new LocalTarget(cache, store, () => this.#busyMs);
    this.#flush = new FlushReclaim(cache.residency, store);
    this.#collector = new ValueCollector(cache.residency, store);
    this.#syncDue = performance.now() + options.syncEvery * 1000;
    // The first sweep comes at once: what became due while the server was down is swept then.
    this.#sweepDue = performance.now();
  }

  start(): void {
    this.#delay.enable();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Starts a sweep in this process; false when one is under way. */
  startSweep(): boolean {
    if (this.#sweeping || this.#abort.signal.aborted) return false;
    this.#sweeping = true;
    this.#sweeps++;
    this.#track(
      this.#options.sweep(this.target, this.#abort.signal).finally(() => (this.#sweeping = false)),
      'sweep failed',
    );
    return true;
  }

  /** Whether a sweep in this process is under way, and how many were started. */
  get sweeps(): { readonly running: boolean; readonly started: number } {
    return { running: this.#sweeping, started: this.#sweeps };
  }

  /** Names and values for `stats storage`. */
  stats(): [string, string | number][] {
    return [
      ['sweeps_in_process', this.#sweeps],
      ['sweep_running', this.#sweeping ? 1 : 0],
      ['flush_reclaim_running', this.#flush.running ? 1 : 0],
      ['flush_reclaimed_items', this.#flush.deleted],
      ['value_gc_running', this.#collector.running ? 1 : 0],
      ['value_gc_segments', this.#collector.done.segments],
      ['value_gc_bytes_copied', this.#collector.done.bytes],
      ['store_reopens', this.#reopens],
      ['loop_delay_ms', this.#busyMs.toFixed(1)],
    ];
  }

  /** Ends all work, within the step it is at. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#delay.disable();
    this.#abort.abort();
    await Promise.allSettled(this.#running);
  }

  #tick(): void {
    const { cache, store, syncEvery, expireEvery } = this.#options;
    this.#busyMs = this.#delay.count > 0 ? Math.max(0, this.#delay.percentile(99) / 1e6 - 10) : 0;
    this.#delay.reset();
    const time = performance.now();
    if (store.failure !== undefined) {
      if (!this.#tending) this.#track(this.#tend(store.failure), 'store cannot be opened anew');
      return;
    }
    // A flush_all whose time has come takes effect even if nobody asks.
    const now = cache.now();
    if (this.#flush.isNeeded && !this.#flush.running) this.#track(this.#flush.run(this.#abort.signal), 'reclaiming flushed items failed');
    if (!this.#collector.running && this.#collector.candidate(now) !== undefined) {
      this.#track(this.#collector.run(() => cache.now(), this.#abort.signal), 'rewriting value segments failed');
    }
    if ((syncEvery > 0 && time >= this.#syncDue) || store.emptySegments >= EMPTY_SEGMENTS_MAX) {
      this.#syncDue = time + syncEvery * 1000;
      this.#track(store.sync(), 'sync failed');
    }
    if (expireEvery > 0 && time >= this.#sweepDue) {
      this.#sweepDue = time + expireEvery * 1000;
      this.startSweep();
    }
  }

  /** Says once that writes fail, and opens the store anew when there is room on the disk. */
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
      await this.#options.cache.residency.whileQuiet(() => store.reopen());
      this.#reopens++;
      this.#failureSeen = undefined;
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
