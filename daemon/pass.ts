import type { Listing, Work } from './stats.ts';
import type { CompactReport, IndexState, ReapReport } from './target.ts';

/** What one round did. */
export interface Round {
  readonly report: ReapReport;
  /** What was compacted, by a pass that does that: the server's other threads did it, so the time it took holds nobody up. */
  readonly compacted?: CompactReport;
  /** Entries or items that the server looked at, matching or not: what the round cost. */
  readonly entries: number;
  /** False when the pass is at its end. */
  readonly more: boolean;
}

/**
 * One way of finding what is to be deleted, cut into rounds. It remembers where it was: after a failed
 * round the next one goes on there.
 */
export interface Pass {
  /** As which kind of work its deletions are counted. */
  readonly work: Work;
  /** How far it has come, where that is worth showing. */
  readonly listing?: Listing;
  /** Says whether there is anything to do now. */
  isWanted(state: IndexState, nowMs: number): boolean;
  /** Begins, or goes on after an interruption. */
  begin(state: IndexState): void;
  round(limit: number): Promise<Round>;
  /** Notes that it reached its end. */
  finish(nowMs: number, durationMs: number): void;
  /** Forgets where it was. */
  reset(): void;
}
