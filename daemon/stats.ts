import type { Link } from './link.ts';
import type { Pace } from './pace.ts';
import type { CompactReport, IndexState, ReapReport } from './target.ts';

/** What one finished or interrupted sweep did. */
export interface SweepSummary {
  /** Index entries and listed items that were looked at. */
  readonly scanned: number;
  /** Items found due through the TTL index and deleted. */
  readonly expired: number;
  /** Items deleted for their age or, under a prefix, for their expiry. */
  readonly removed: number;
  /** Items evicted to stay below the limit on disk, or below quotas. */
  readonly evicted: number;
  /** Bytes of keys and values of all these. */
  readonly bytes: number;
  /** Index entries dropped that no longer applied. */
  readonly stale: number;
  /** Items left alone because they had changed since they were listed. */
  readonly changed: number;
  readonly durationMs: number;
  /** Entries looked at per second. */
  readonly rate: number;
  /** Index entries left. */
  readonly indexEntries: number;
  /** Seconds by which the oldest entry left is overdue. */
  readonly lagSeconds: number;
  /** True when it was stopped before its end. */
  readonly interrupted: boolean;
}

/** How far a pass over items in key order has come: deletes by age or prefix. */
export interface Listing {
  readonly running: boolean;
  /** Passes that came to their end. */
  readonly passes: number;
  /** Items looked at and deleted in the pass under way, or else in the last. */
  readonly scanned: number;
  readonly deleted: number;
  /** The key that it has come to, in hexadecimal; undefined = before the first, or at its end. */
  readonly cursor: string | undefined;
}

/** Characters of a value that a server takes in a report. */
const VALUE_CHARACTERS = 64;

/** Which part of the work a report belongs to. */
export type Work = 'expired' | 'removed' | 'evicted' | 'compacted';

/** Seconds by which the oldest index entry is overdue; 0 when nothing is. */
export function lagSeconds(state: IndexState): number {
  return state.oldestDeadline === 0 ? 0 : Math.max(0, state.now - state.oldestDeadline);
}

/** Counts what the sweeper does over its life, and shows it as memcached shows stats. */
export class SweepStats {
  #sweeps = 0;
  #sweepsWithWork = 0;
  #failures = 0;
  #scanned = 0;
  #expired = 0;
  #removed = 0;
  #evicted = 0;
  #stale = 0;
  #bytes = 0;
  #changed = 0;
  #compactions = 0;
  #compactedBytes = 0;
  #state: IndexState | undefined;
  #last: SweepSummary | undefined;
  #lastAt = 0;
  #pace: Pace = { limit: 0, pauseMs: 0 };
  #listing: Listing = { running: false, passes: 0, scanned: 0, deleted: 0, cursor: undefined };
  readonly #link: Link | undefined;

  /** `link` is absent when this process has the store open itself: it is then always reachable. */
  constructor(link?: Link) {
    this.#link = link;
  }

  addRound(work: Work, report: ReapReport): void {
    this.#scanned += report.scanned;
    this.#stale += report.stale;
    this.#bytes += report.bytes;
    this.#changed += report.changed;
    if (work === 'expired') this.#expired += report.deleted;
    else if (work === 'removed') this.#removed += report.deleted;
    else if (work === 'evicted') this.#evicted += report.deleted;
  }

  addCompaction({ runs, bytes }: CompactReport): void {
    this.#compactions += runs;
    this.#compactedBytes += bytes;
  }

  addSweep(summary: SweepSummary, unixSeconds: number): void {
    this.#sweeps++;
    if (summary.scanned === 0) return;
    this.#sweepsWithWork++;
    this.#last = summary;
    this.#lastAt = unixSeconds;
  }

  addFailure(): void {
    this.#failures++;
  }

  setState(state: IndexState): void {
    this.#state = state;
  }

  setListing(listing: Listing): void {
    this.#listing = listing;
  }

  setPace(pace: Pace): void {
    this.#pace = pace;
  }

  /** Names and values in the order in which they are shown. Values hold no blanks. */
  entries(): Map<string, string> {
    const last = this.#last;
    const { running, passes, scanned, deleted, cursor } = this.#listing;
    const values: readonly (readonly [string, number | string])[] = [
      ['sweeps', this.#sweeps],
      ['sweeps_with_work', this.#sweepsWithWork],
      ['sweep_failures', this.#failures],
      ['entries_scanned', this.#scanned],
      ['items_expired', this.#expired],
      ['items_removed', this.#removed],
      ['items_evicted', this.#evicted],
      ['stale_entries_dropped', this.#stale],
      ['items_changed', this.#changed],
      ['bytes_reclaimed', this.#bytes],
      ['compactions', this.#compactions],
      ['compacted_bytes', this.#compactedBytes],
      ['live_bytes', this.#state?.liveBytes ?? 0],
      ['dead_bytes', this.#state?.deadBytes ?? 0],
      ['disk_bytes', this.#state?.diskBytes ?? 0],
      ['value_gc_bytes_given_back', this.#state?.valueBytesGivenBack ?? 0],
      ['oldest_overdue_seconds', this.#state === undefined ? 0 : lagSeconds(this.#state)],
      ['index_entries', this.#state?.entries ?? 0],
      ['list_running', running ? 1 : 0],
      ['list_passes', passes],
      ['list_scanned', scanned],
      ['list_deleted', deleted],
      ['list_cursor', cursor?.slice(0, VALUE_CHARACTERS) ?? '-'],
      ['last_sweep_at', this.#lastAt],
      ['last_sweep_ms', Math.round(last?.durationMs ?? 0)],
      ['last_sweep_entries', last?.scanned ?? 0],
      ['last_sweep_rate', Math.round(last?.rate ?? 0)],
      ['batch_limit', this.#pace.limit],
      ['pause_ms', Math.round(this.#pace.pauseMs)],
      ['reconnects', this.#link?.reconnects ?? 0],
      ['server_reachable', this.#link === undefined || this.#link.reachable ? 1 : 0],
    ];
    return new Map(values.map(([name, value]) => [name, String(value)]));
  }
}

/** `STAT name value` lines and the closing `END`, with line ends. */
export function formatStats(stats: ReadonlyMap<string, string>): string {
  return `${[...stats].map(([name, value]) => `STAT ${name} ${value}\r\n`).join('')}END\r\n`;
}
