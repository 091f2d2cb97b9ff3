import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import type { Store } from '../store/store.ts';
import { PrefixCount } from './prefix-count.ts';
import { QuotaEvictor, type QuotaEvictorDeps } from './quota-evictor.ts';
import type { Quota, Quotas } from './quotas.ts';

/** Milliseconds between two lines in the log about stores that are refused, and prefixes that a line names. */
const REFUSED_SAID_MS = 60_000;
const PREFIXES_SAID = 10;

/** All that keeps prefixes below their quotas; upkeep says when. */
export class QuotaKeeper {
  readonly limits: Quotas;
  readonly evictor: QuotaEvictor;
  readonly count: PrefixCount;
  readonly #cache: Cache;
  readonly #store: Store;
  readonly #logger: Logger;
  #hasEvicted = false;
  /** Stores refused under each prefix, as last seen. */
  readonly #refused = new Map<Quota, number>();
  #refusedSaidAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: QuotaEvictorDeps, logger: Logger) {
    this.limits = deps.quotas;
    this.evictor = new QuotaEvictor(deps);
    this.count = new PrefixCount(deps.store);
    this.#cache = deps.cache;
    this.#store = deps.store;
    this.#logger = logger;
  }

  /** Counts what was there before its prefix had a quota. */
  async runCount(signal: AbortSignal): Promise<void> {
    const prefixes = this.#uncounted;
    const before = this.count.scanned;
    this.#logger.info({ prefixes }, 'counting what is stored under prefixes with new quotas');
    await this.count.run(signal);
    if (this.#uncounted === 0) this.#logger.info({ prefixes, items: this.count.scanned - before }, 'counted what is stored under prefixes with new quotas');
  }

  /** Evicts until no quota is nearly used up. */
  async runEviction(signal: AbortSignal): Promise<void> {
    if (!this.#hasEvicted) {
      this.#hasEvicted = true;
      this.#logger.info('near a quota, evicting what was not read lately under its prefix; stats prefixes tells which');
    }
    await this.evictor.evict(Number.POSITIVE_INFINITY, signal);
  }

  /** Says when stores are being refused below quotas: once a minute, for all that it happens to. */
  tellRefused(): void {
    const now = performance.now();
    if (now - this.#refusedSaidAtMs < REFUSED_SAID_MS) return;
    let refused = 0;
    const prefixes: string[] = [];
    for (const quota of this.limits.all) {
      const { counted, high } = quota;
      const seen = this.#cache.prefixes.quotas?.of(counted).refused ?? 0;
      const more = seen - (this.#refused.get(quota) ?? 0);
      this.#refused.set(quota, seen);
      // Where there is room it was the limit on disk, or a quota that this one lies in.
      if (more <= 0 || counted.bytes <= high) continue;
      refused += more;
      if (prefixes.length < PREFIXES_SAID) prefixes.push(counted.prefix);
    }
    if (refused === 0) return;
    this.#refusedSaidAtMs = now;
    this.#logger.warn({ refused, prefixes }, 'quota reached, stores are refused while there is no room');
  }

  /** Names and values for `stats storage`. */
  stats(): [string, string | number][] {
    const { done } = this.evictor;
    return [
      ['quotas', this.limits.all.length],
      ['quotas_uncounted', this.#uncounted],
      ['quota_count_running', this.count.running ? 1 : 0],
      ['quota_count_scanned', this.count.scanned],
      ['quota_eviction_running', this.evictor.running ? 1 : 0],
      ['quota_eviction_scanned', done.scanned],
      ['quota_eviction_evicted', done.evicted],
      ['quota_eviction_kept', done.kept],
      ['quota_eviction_dead', done.dead],
      ['quota_eviction_bytes', done.bytes],
    ];
  }

  get #uncounted(): number {
    return this.#store.counted?.all.filter(({ isCounted }) => !isCounted).length ?? 0;
  }
}
