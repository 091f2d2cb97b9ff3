import type { Cache } from '../cache/cache.ts';
import { isExpired } from '../cache/exptime.ts';
import type { Item } from '../item.ts';
import type { Store } from '../store/store.ts';

/** An item that is evicted, for who wants to know. */
export interface Evicted {
  readonly key: string;
  readonly item: Item;
}

/** What an eviction came to. */
export interface EvictReport {
  /** Items looked at, evicted, kept because they were read lately, and dead ones that were met. */
  scanned: number;
  evicted: number;
  kept: number;
  dead: number;
  /** Bytes that the evicted and dead ones took. */
  bytes: number;
  /** Bytes of values that were copied to be kept. */
  keptBytes: number;
}

export interface GiveUpDeps {
  readonly cache: Cache;
  readonly store: Store;
  /** Told of each item before it goes. */
  readonly onEvicted: (evicted: Evicted) => void;
}

export function nothingGivenUp(): EvictReport {
  return { scanned: 0, evicted: 0, kept: 0, dead: 0, bytes: 0, keptBytes: 0 };
}

export function addReport(to: EvictReport, more: EvictReport): void {
  to.scanned += more.scanned;
  to.evicted += more.evicted;
  to.kept += more.kept;
  to.dead += more.dead;
  to.bytes += more.bytes;
  to.keptBytes += more.keptBytes;
}

/** False for an item that has expired or was flushed. */
export function isAlive(item: Item, now: number, store: Store): boolean {
  return !isExpired(item, now) && item.cas > store.state.flushCas;
}

/** Deletes the current item of a key to make room, and counts it: as evicted if it is alive, else as what it was. */
export function giveUp({ cache, store, onEvicted }: GiveUpDeps, key: string, item: Item, now: number, report: EvictReport): void {
  const bytes = key.length + item.length;
  const { state } = store;
  if (isAlive(item, now, store)) {
    onEvicted({ key, item });
    report.evicted++;
    store.changeState({ evicted: state.evicted + 1 });
    cache.counters.evictions++;
  } else {
    report.dead++;
    store.changeState({
      expired: isExpired(item, now) ? state.expired + 1 : state.expired,
      reclaimedBytes: state.reclaimedBytes + bytes,
    });
  }
  report.bytes += bytes;
  store.remove(key, item);
  cache.residency.gone(key);
}
