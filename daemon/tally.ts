import { addReports, NOTHING_REAPED } from './reap-report.ts';
import { lagSeconds, type SweepSummary, type Work } from './stats.ts';
import type { IndexState, ReapReport } from './target.ts';

/** Adds up one sweep, over interruptions of the connection too. */
export class Tally {
  readonly #startedMs: number;
  #total: ReapReport = NOTHING_REAPED;
  #removed = 0;
  #evicted = 0;
  #rounds = 0;
  #state: IndexState | undefined;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** Rounds so far; tells progress from standing still. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Entries and items looked at so far. */
  get scanned(): number {
    return this.#total.scanned;
  }

  addRound(work: Work, report: ReapReport): void {
    this.#rounds++;
    this.#total = addReports(this.#total, report);
    if (work === 'removed') this.#removed += report.deleted;
    if (work === 'evicted') this.#evicted += report.deleted;
  }

  setState(state: IndexState): void {
    this.#state = state;
  }

  summary(nowMs: number, interrupted: boolean): SweepSummary {
    const { scanned, deleted, bytes, stale, changed } = this.#total;
    const durationMs = nowMs - this.#startedMs;
    return {
      scanned,
      expired: deleted - this.#removed - this.#evicted,
      removed: this.#removed,
      evicted: this.#evicted,
      bytes,
      stale,
      changed,
      durationMs,
      // A sweep that took no measurable time has no rate; a millisecond stands in.
      rate: (scanned * 1000) / Math.max(1, durationMs),
      indexEntries: this.#state?.entries ?? 0,
      lagSeconds: this.#state === undefined ? 0 : lagSeconds(this.#state),
      interrupted,
    };
  }
}
