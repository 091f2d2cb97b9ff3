import type { SuiteRun } from './lists.ts';
import type { FailedSubtest, TapReader } from './tap.ts';

/** How a test file ended. */
export interface Ending {
  /** Undefined = by a signal. */
  readonly status: number | undefined;
  /** We ended it: it took too long, or what applies of it was through. */
  readonly cut: 'limit' | 'enough' | undefined;
}

/** What a run of a test file comes to. */
export interface Verdict {
  readonly passed: boolean;
  /** What is wrong, for people. */
  readonly complaints: readonly string[];
}

/** The highest exit status by which Test::More tells how many subtests failed. */
const MOST_FAILED = 254;

/** Judges a run by what the file said and how it ended. */
export function judge({ part }: SuiteRun, tap: TapReader, { status, cut }: Ending): Verdict {
  const mayFail = part?.mayFail ?? [];
  const complaints = tap.failed.filter(({ number }) => !mayFail.includes(number)).map(describe);
  if (tap.bailReason !== undefined) complaints.push(`gave up: ${tap.bailReason}`);
  if (cut === 'limit') complaints.push('took too long and was ended');
  if (cut === undefined) complaints.push(...endedWell(tap, status));
  return { passed: complaints.length === 0, complaints };
}

function endedWell(tap: TapReader, status: number | undefined): string[] {
  const complaints: string[] = [];
  if (tap.skipReason !== undefined) complaints.push(`skipped itself: ${tap.skipReason}`);
  if (tap.planned !== tap.seen) complaints.push(`ran ${tap.seen} subtests of ${tap.planned ?? 'an unknown number'}`);
  if (status !== Math.min(tap.failed.length, MOST_FAILED)) {
    complaints.push(status === undefined ? 'was ended by a signal' : `ended with status ${status}`);
  }
  return complaints;
}

function describe({ number, title }: FailedSubtest): string {
  return `not ok ${number}${title === '' ? '' : ` ${title}`}`;
}
