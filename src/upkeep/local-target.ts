import type { Cache } from '../cache/cache.ts';
import { isExpired } from '../cache/exptime.ts';
import type { Residency } from '../cache/residency.ts';
import type { Item } from '../item.ts';
import type { Store, StoredItem } from '../store/store.ts';
import { bucketDeadline } from '../store/ttl-bucket.ts';
import { DiskWatch } from './disk-watch.ts';
import type { Evicts } from './evictors.ts';
import type { RowCompactor } from './row-compactor.ts';
import type { CompactReport, DueList, IndexState, ItemList, ListedItem, ListQuery, ReapReport, SweepTarget } from './sweep-target.ts';
import type { ValueCollector } from './value-collector.ts';

/** Keys whose state is loaded at once: bounds what one step holds up. */
const STEP_KEYS = 64;
/** Index rows read at once: bounds the memory for rows that list many keys. */
const STEP_ROWS = 128;
/** Index entries dropped after which the swept part of the index is compacted, see `reap`. */
const COMPACT_AFTER_ENTRIES = 50_000;
/** Milliseconds between two such compactions at least: at full rate of writes there are as many entries in two seconds. */
const COMPACT_EVERY_MS = 60_000;

/** Who else looks after the store in this process; absent where nobody does. */
export interface TargetParts {
  /** By how many milliseconds the event loop was late lately. */
  readonly busyMs?: () => number;
  /** Who evicts, if anything is to be. */
  readonly evictor?: Evicts | undefined;
  /** Who knows what rows are dead. */
  readonly compactor?: RowCompactor;
  /** Who gives back the space of dead values. */
  readonly collector?: ValueCollector;
}

/** A report that is being counted. */
type Counts = { -readonly [K in keyof ReapReport]: ReapReport[K] };

/** An index row that is being reaped. */
interface Row {
  readonly id: string;
  readonly deadline: number;
  readonly keys: readonly string[];
  /** Keys that stay listed. */
  readonly left: string[];
}

/** The checks of a sweep, atomic because they run inside the process that owns the store. */
export class LocalTarget implements SweepTarget {
  readonly #cache: Cache;
  readonly #residency: Residency;
  readonly #store: Store;
  readonly #disk: DiskWatch;
  readonly #busyMs: () => number;
  readonly #evictor: Evicts | undefined;
  readonly #compactor: RowCompactor | undefined;
  readonly #collector: ValueCollector | undefined;
  #reported: ReadonlyMap<string, string> = new Map();
  #reportedAt = 0;
  #daemonReportedAt = Number.NEGATIVE_INFINITY;
  #entriesDropped = 0;
  #compactedAtMs = Number.NEGATIVE_INFINITY;
  #reaping: Promise<unknown> = Promise.resolve();

  constructor(cache: Cache, store: Store, { busyMs, evictor, compactor, collector }: TargetParts = {}) {
    this.#evictor = evictor;
    this.#compactor = compactor;
    this.#collector = collector;
    this.#cache = cache;
    this.#residency = cache.residency;
    this.#store = store;
    this.#disk = new DiskWatch(store);
    this.#busyMs = busyMs ?? (() => 0);
  }

  /** What the daemon told last, for `stats expire`. */
  get reported(): ReadonlyMap<string, string> {
    return this.#reported;
  }

  /** Seconds since it told. */
  get reportAge(): number {
    return Math.max(0, this.#cache.now() - this.#reportedAt);
  }

  /** Seconds since one told that sweeps again and again; a single sweep may have told something since. */
  get daemonAge(): number {
    return Math.max(0, this.#cache.now() - this.#daemonReportedAt);
  }

  /** The same for a single sweep: what that reports is shown, and does not mean that a daemon is there. */
  forOneSweep(): SweepTarget {
    return {
      state: () => this.state(),
      due: (limit, after) => this.due(limit, after),
      keys: (row) => this.keys(row),
      reap: (seen, rows) => this.reap(seen, rows),
      list: (query) => this.list(query),
      remove: (items) => this.remove(items),
      evict: (bytes) => this.evict(bytes),
      compact: () => this.compact(),
      report: async (stats) => this.#show(stats),
      close: () => this.close(),
    };
  }

  async state(): Promise<IndexState> {
    const weight = await this.#compactor?.weigh();
    return {
      entries: this.#store.state.indexEntries,
      oldestDeadline: await this.#store.oldestDeadline(),
      now: this.#cache.now(),
      busyMs: this.#busyMs(),
      evictBytes: Math.round(this.#evictor?.excess ?? 0),
      liveBytes: this.#store.bytes,
      diskBytes: await this.#disk.bytes(),
      ...(weight === undefined ? {} : { deadBytes: weight.dead + this.#store.deadValueBytes, compactBytes: weight.worth }),
      ...(this.#collector === undefined ? {} : { valueBytesGivenBack: this.#collector.done.freed }),
    };
  }

  async evict(bytes: number): Promise<ReapReport> {
    if (this.#evictor === undefined || this.#evictor.excess === 0) return { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
    const done = await this.#evictor.evict(bytes, new AbortController().signal);
    return { scanned: done.scanned, deleted: done.evicted, bytes: done.bytes, stale: done.dead, changed: done.kept };
  }

  async compact(): Promise<CompactReport> {
    return (await this.#compactor?.step()) ?? { runs: 0, bytes: 0 };
  }

  async due(limit: number, after?: string): Promise<DueList> {
    const seen = String(this.#store.state.cas);
    // What was stored a moment ago may be due, and is listed in LevelDB with its rows.
    if (after === undefined && this.#store.deferredItems > 0) await this.#store.inLevel();
    const { rows, next } = await this.#store.dueRows(this.#cache.now(), limit, after);
    return { rows, next, seen };
  }

  async keys(row: string): Promise<readonly Buffer[]> {
    return (await this.#store.dueKeys(row)).map((key) => Buffer.from(key, 'latin1'));
  }

  /**
   * Deletes the items listed in index rows that are due and were not stored after `seen`, and drops the
   * rows. An entry stays listed only if its item still belongs to the row's bucket: stored after `seen`,
   * or not due because the clock was set back.
   */
  reap(seen: string, rows: readonly string[]): Promise<ReapReport> {
    // One after the other: two sweeps would both drop the same entries, and count them twice.
    const reaping = this.#reaping.then(() => this.#reap(seen, rows));
    this.#reaping = reaping.catch(() => undefined);
    return reaping;
  }

  async #reap(seen: string, rows: readonly string[]): Promise<ReapReport> {
    const report = { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
    const named = [...new Set(rows)];
    for (let i = 0; i < named.length; i += STEP_ROWS) await this.#reapRows(Number(seen), named.slice(i, i + STEP_ROWS), report);
    await this.#store.inLevel();
    this.#compactWhenDue();
    return report;
  }

  /** Gives back the space of what was swept of the index. Nobody waits: under much writing it can take seconds. */
  #compactWhenDue(): void {
    const now = performance.now();
    if (this.#entriesDropped < COMPACT_AFTER_ENTRIES || now < this.#compactedAtMs + COMPACT_EVERY_MS) return;
    this.#entriesDropped = 0;
    this.#compactedAtMs = now;
    // It fails only where the store is closed before it began.
    this.#store.compactSweptIndex().catch(() => undefined);
  }

  /** Rows are read together and their entries looked at together: under short times to live a row lists one or two. */
  async #reapRows(seenCas: number, ids: readonly string[], report: Counts): Promise<void> {
    const listed = await this.#store.dueKeysOf(ids);
    const rows: Row[] = ids.map((id, i) => ({ id, deadline: Number.parseInt(id.slice(0, 8), 16), keys: listed[i]!, left: [] }));
    const due = rows.filter(({ deadline, keys }) => keys.length > 0 && deadline <= this.#cache.now());
    const entries = due.flatMap((row) => row.keys.map((key) => ({ key, row })));
    for (let i = 0; i < entries.length; i += STEP_KEYS) {
      const some = entries.slice(i, i + STEP_KEYS);
      await this.#residency.withKnown(
        some.map(({ key }) => key),
        () => this.#reapEntries(some, seenCas, report),
      );
      // Where all is in RAM nothing above waits, and clients would.
      await nextTurn();
    }
    for (const { id, keys, left } of due) {
      this.#store.dropDueRow(id, keys.length, left);
      this.#entriesDropped += keys.length;
    }
  }

  #reapEntries(entries: readonly { readonly key: string; readonly row: Row }[], seenCas: number, report: Counts): void {
    const now = this.#cache.now();
    const before = report.bytes;
    let expired = 0;
    for (const { key, row } of entries) {
      report.scanned++;
      const item = this.#residency.currentOf(key) ?? undefined;
      if (item === undefined || item.expiresAt === 0) report.stale++;
      else if (!isExpired(item, now)) {
        report.stale++;
        if (bucketDeadline(item.expiresAt, item.ttlShift) === row.deadline) row.left.push(key);
      } else if (item.cas > seenCas) {
        report.changed++;
        row.left.push(key);
      } else {
        this.#delete(key, item, report);
        expired++;
      }
    }
    this.#countGone(expired, report.bytes - before);
  }

  async list(query: ListQuery): Promise<ItemList> {
    const prefix = query.prefix?.toString('latin1') ?? '';
    const after = query.after === undefined ? undefined : Buffer.from(query.after, 'hex').toString('latin1');
    // What was stored a moment ago is to be in the scan, and what was deleted is not. What is changed later may be seen or not.
    if (after === undefined && this.#store.deferredItems > 0) await this.#store.inLevel();
    const { found, next } = await this.#store.scan(prefix, after, query.limit);
    const { page, more } = withEphemeral(this.#store, { prefix, after, limit: query.limit }, found, next);
    const items = page
      .filter(({ item }) => query.storedBefore === undefined || item.storedAt < query.storedBefore)
      .map(({ key, item }) => ({
        key: Buffer.from(key, 'latin1'),
        cas: String(item.cas),
        expiresAt: item.expiresAt,
        storedAt: item.storedAt,
        length: item.length,
      }));
    return { items, next: more === undefined ? undefined : Buffer.from(more, 'latin1').toString('hex') };
  }

  async remove(items: readonly ListedItem[]): Promise<ReapReport> {
    const report = { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };
    for (let i = 0; i < items.length; i += STEP_KEYS) {
      const some = items.slice(i, i + STEP_KEYS).map((item) => ({ key: item.key.toString('latin1'), listed: item }));
      await this.#residency.withKnown(
        some.map(({ key }) => key),
        () => this.#removeListed(some, report),
      );
      await nextTurn();
    }
    await this.#store.inLevel();
    return report;
  }

  #removeListed(some: readonly { readonly key: string; readonly listed: ListedItem }[], report: Counts): void {
    const before = report.bytes;
    let expired = 0;
    for (const { key, listed } of some) {
      report.scanned++;
      const item = this.#residency.currentOf(key) ?? undefined;
      if (item === undefined) report.stale++;
      else if (String(item.cas) !== listed.cas || item.expiresAt !== listed.expiresAt) report.changed++;
      else {
        if (isExpired(item, this.#cache.now())) expired++;
        this.#delete(key, item, report);
      }
    }
    this.#countGone(expired, report.bytes - before);
  }

  async report(stats: ReadonlyMap<string, string>): Promise<void> {
    this.#show(stats);
    this.#daemonReportedAt = this.#reportedAt;
    return Promise.resolve();
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }

  #show(stats: ReadonlyMap<string, string>): void {
    this.#reported = stats;
    this.#reportedAt = this.#cache.now();
  }

  #delete(key: string, item: Item, report: Counts): void {
    report.deleted++;
    report.bytes += key.length + item.length;
    this.#store.remove(key, item);
    this.#residency.gone(key);
  }

  /** REQUIRES: in the step that deleted them, so that items and counters are of one batch. */
  #countGone(expired: number, bytes: number): void {
    if (expired === 0 && bytes === 0) return;
    const { state } = this.#store;
    this.#store.changeState({ expired: state.expired + expired, reclaimedBytes: state.reclaimedBytes + bytes });
  }
}

/** Adds items that are in memory alone to those read from disk, in key order; `more` is the key to go on after. */
function withEphemeral(
  store: Store,
  { prefix, after, limit }: { readonly prefix: string; readonly after: string | undefined; readonly limit: number },
  found: readonly StoredItem[],
  next: string | undefined,
): { readonly page: readonly StoredItem[]; readonly more: string | undefined } {
  const others = store.ephemeral?.between(prefix, after, next, limit) ?? [];
  if (others.length === 0) return { page: found, more: next };
  // What was overwritten meanwhile is newer in memory.
  const merged = new Map([...found, ...others].map((stored) => [stored.key, stored]));
  const page = [...merged.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return page.length <= limit && others.length < limit ? { page, more: next } : { page: page.slice(0, limit), more: page[Math.min(limit, page.length) - 1]!.key };
}

/** Resolves in the next turn of the event loop, after what clients sent has been looked at. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
