import type { ReapReport } from './target.ts';

/** The report of no work at all. */
export const NOTHING_REAPED: ReapReport = { scanned: 0, deleted: 0, bytes: 0, stale: 0, changed: 0 };

/** The report of two pieces of work together. */
export function addReports(a: ReapReport, b: ReapReport): ReapReport {
  return {
    scanned: a.scanned + b.scanned,
    deleted: a.deleted + b.deleted,
    bytes: a.bytes + b.bytes,
    stale: a.stale + b.stale,
    changed: a.changed + b.changed,
  };
}
