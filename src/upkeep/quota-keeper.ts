import type { Logger } from 'pino';
import type { Store } from '../store/store.ts';
import { PrefixCount } from './prefix-count.ts';
import { QuotaEvictor, type QuotaEvictorDeps } from './quota-evictor.ts';
import type { Quotas } from './quotas.ts';

/** All that keeps prefixes below their quotas; upkeep says when. */
export class QuotaKeeper {
  readonly limits: Quotas;
  readonly evictor: QuotaEvictor;
  readonly count: PrefixCount;
  readonly #store: Store;
  readonly #logger: Logger;
  #hasEvicted = false;

  constructor(deps: QuotaEvictorDeps, logger: Logger) {
    this.limits = deps.quotas;
    this.evictor = new QuotaEvictor(deps);
    this.count = new PrefixCount(deps.store);
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
