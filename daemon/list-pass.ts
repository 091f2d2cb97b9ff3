import type { Disposal } from './disposal.ts';
import type { Pass, Round } from './pass.ts';
import { NOTHING_REAPED } from './reap-report.ts';
import type { Listing } from './stats.ts';
import type { IndexState, ListedItem, ListQuery, SweepTarget } from './target.ts';

const DAY_SECONDS = 86_400;

/**
 * Part of the age after which it is looked at again: an item older than 7 days goes at most 1.7 hours late.
 * More often would read the whole store again and again for few items.
 */
const AGE_SHARE = 0.01;

/** A pass reads many items for each that it deletes, so it gets a tenth of the time at most. */
const REST_PER_WORK = 9;

export interface ListPassSettings {
  /** Days since the last store after which an item goes; undefined = only expired items go. */
  readonly olderThanDays: number | undefined;
  /** Only keys that begin with these bytes. */
  readonly prefix: Buffer | undefined;
  /** Milliseconds from the end of one pass to the next at least. */
  readonly intervalMs: number;
}

/**
 * Goes through the items in key order and deletes those stored more than so many days ago or, under a
 * prefix, expired or stored more than so many days ago: (expired or old) and prefix. Without a prefix
 * the expired ones are left to the TTL index, which finds them without reading everything.
 */
export class ListPass implements Pass {
  readonly work = 'removed';
  readonly #target: SweepTarget;
  readonly #disposal: Disposal;
  readonly #settings: ListPassSettings;
  #cursor: string | undefined;
  #isUnderWay = false;
  #expiredBy = 0;
  #storedBefore: number | undefined;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #passes = 0;
  #scanned = 0;
  #deleted = 0;

  constructor(target: SweepTarget, disposal: Disposal, settings: ListPassSettings) {
    this.#target = target;
    this.#disposal = disposal;
    this.#settings = settings;
  }

  get listing(): Listing {
    return { running: this.#isUnderWay, passes: this.#passes, scanned: this.#scanned, deleted: this.#deleted, cursor: this.#cursor };
  }

  isWanted(_state: IndexState, nowMs: number): boolean {
    return this.#isUnderWay || nowMs >= this.#nextAtMs;
  }

  begin(state: IndexState): void {
    if (this.#isUnderWay) return;
    const { olderThanDays } = this.#settings;
    this.#isUnderWay = true;
    this.#cursor = undefined;
    this.#scanned = 0;
    this.#deleted = 0;
    this.#expiredBy = state.now;
    // Stored times are whole seconds, so rounding up changes nothing; 0 would mean "no bound" to the
    // server, and at 1 nothing can be older.
    this.#storedBefore =
      olderThanDays === undefined ? undefined : Math.max(1, Math.ceil(state.now - olderThanDays * DAY_SECONDS));
  }

  async round(limit: number): Promise<Round> {
    const list = await this.#target.list(this.#query(limit));
    const items = list.items.filter((item) => this.#matches(item));
    const report = items.length === 0 ? NOTHING_REAPED : await this.#disposal.items(items);
    const more = list.next !== undefined && list.next !== this.#cursor;
    if (more) this.#cursor = list.next;
    // The server does not say how many it looked at for the last, shorter list.
    const entries = more ? Math.max(limit, list.items.length) : list.items.length;
    this.#scanned += entries;
    this.#deleted += report.deleted;
    return { report, entries, more };
  }

  finish(nowMs: number, durationMs: number): void {
    const ageMs = (this.#settings.olderThanDays ?? 0) * DAY_SECONDS * 1000;
    this.#isUnderWay = false;
    this.#passes++;
    this.#cursor = undefined;
    this.#nextAtMs =
      nowMs + Math.max(this.#settings.intervalMs, REST_PER_WORK * durationMs, AGE_SHARE * ageMs);
  }

  reset(): void {
    this.#isUnderWay = false;
  }

  #query(limit: number): ListQuery {
    const { prefix } = this.#settings;
    // Under a prefix expired items match too, so the server must not leave out the younger ones.
    const storedBefore = prefix === undefined ? this.#storedBefore : undefined;
    return { limit, prefix, storedBefore, after: this.#cursor };
  }

  #matches(item: ListedItem): boolean {
    const isOld = this.#storedBefore !== undefined && item.storedAt < this.#storedBefore;
    const isExpired = item.expiresAt !== 0 && item.expiresAt <= this.#expiredBy;
    return isOld || (isExpired && this.#settings.prefix !== undefined);
  }
}
