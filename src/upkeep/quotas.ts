import type { QuotaConfig } from '../config.ts';
import type { CountedPrefix } from '../store/counted-prefixes.ts';
import type { Store } from '../store/store.ts';

/** Shares of a quota: where eviction ends, where the expiry daemon begins it, and where the server does by itself. */
const LOW_SHARE = 0.95;
const BEGIN_SHARE = 0.97;
const HIGH_SHARE = 0.98;

/** What items under a prefix may take, and do. */
export interface Quota {
  readonly counted: CountedPrefix;
  /** Bytes of keys and values: never exceeded by a store. */
  readonly limit: number;
  readonly low: number;
  readonly begin: number;
  readonly high: number;
}

interface State extends Quota {
  /** True from `begin` down to `low`. */
  isWanted: boolean;
}

/** The quotas of prefixes, and which of them something must be evicted for. A store has to keep below all that its key lies in. */
export class Quotas {
  readonly #store: Store;
  readonly #all: readonly State[];
  readonly #byPrefix = new Map<CountedPrefix, State>();
  /** Told when a store comes near a quota. */
  onHigh: (() => void) | undefined = undefined;

  /** REQUIRES: the store counts these prefixes. */
  constructor(store: Store, quotas: readonly QuotaConfig[]) {
    this.#store = store;
    const limits = new Map(quotas.map(({ prefix, bytes }) => [prefix, bytes]));
    for (const counted of store.counted?.all ?? []) {
      const limit = limits.get(counted.prefix);
      if (limit === undefined) continue;
      this.#byPrefix.set(counted, { counted, limit, low: LOW_SHARE * limit, begin: BEGIN_SHARE * limit, high: HIGH_SHARE * limit, isWanted: false });
    }
    this.#all = [...this.#byPrefix.values()];
  }

  /** All, in order of their prefixes. */
  get all(): readonly Quota[] {
    return this.#all;
  }

  /** Whether a key (latin1) may take so many bytes more. */
  hasRoom(key: string, growth: number): boolean {
    let hasRoom = true;
    let isHigh = false;
    for (let at = this.#store.counted?.find(key); at !== undefined; at = at.parent) {
      const quota = this.#byPrefix.get(at);
      if (quota === undefined) continue;
      const bytes = at.bytes + growth;
      if (bytes > quota.limit) hasRoom = false;
      if (bytes > quota.high) isHigh = true;
    }
    if (isHigh) this.onHigh?.();
    return hasRoom;
  }

  /** Quotas that something must be evicted for, and bytes that should go for all of them. */
  wanted(): { readonly quotas: readonly Quota[]; readonly bytes: number } {
    const quotas: Quota[] = [];
    let bytes = 0;
    for (const quota of this.#all) {
      const used = quota.counted.bytes;
      if (used > quota.begin) quota.isWanted = true;
      else if (used <= quota.low) quota.isWanted = false;
      if (!quota.isWanted) continue;
      quotas.push(quota);
      bytes += used - quota.low;
    }
    return { quotas, bytes };
  }

  /** True when the daemon does not keep up with one of them. */
  get isAnyHigh(): boolean {
    return this.#all.some(({ counted, high }) => counted.bytes > high);
  }
}
