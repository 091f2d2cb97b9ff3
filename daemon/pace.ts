/*
 * How hard the sweeper works. Pure: everything it knows is passed in, it keeps nothing.
 *
 * The sweeper works in rounds. A round is one bounded piece of work at the server ("up to `limit`
 * entries of the index"), after which `nextPace` says how many entries the next round may take and how
 * long to pause before it. There are four modes:
 *
 * - **Idle**: nothing is due. Sleep until the earliest deadline in the index or for the interval,
 *   whichever comes first, but not less than IDLE_FLOOR_MS (deadlines are whole seconds, so looking
 *   more often finds nothing). The limit is kept for the next time.
 * - **Keeping up**: something is due, the server is calm, and the oldest overdue entry is not later than
 *   LATE_MS. There is no hurry: the sweeper takes KEEPING_UP_SHARE of the time, that is, it pauses three
 *   times as long as the round took.
 * - **Behind**: something is due, and the oldest overdue entry is later. Full speed: no pause, and the limit
 *   doubles up to the batch size, strained or not. For a server that is written to as fast as it goes is strained for
 *   good, and what it takes must go again as fast. It cuts a round into steps of some milliseconds,
 *   whatever the limit.
 * - **Strained**: the server's event loop is late (busyMs, all its clients feel that), or the round took
 *   long by itself. Clients come first: the limit is halved down to MIN_LIMIT and the pause grows with the
 *   strain, up to MAX_PAUSE_MS.
 *
 * Strain is a number: 1 = as much as may be. It is the larger of busyMs / BUSY_MS and work / SLOW_MS,
 * where work is the round's duration less the time an idle round trip takes, so that a far network
 * does not look like a slow server. Up to CALM (a half) the server counts as calm; between CALM and 1
 * the limit stays and the sweeper pauses for as long as the round took.
 *
 * Stop conditions of one sweep: nothing further is due that was due when the sweep began, or the signal
 * aborts. There is no time budget for a sweep as a whole, since its rounds are short and the pauses
 * between them are the budget.
 *
 * Above all this stands `maxRate`: a round of n entries is followed by a pause such that round and pause
 * together last n / maxRate seconds, in every mode. A round is also kept to a tenth of a second's worth,
 * but it always takes at least one index row, however many entries that lists; the pause then makes up
 * for it and is the only one that may exceed the bounds above.
 */

/** Lateness of the server's event loop that counts as strain 1: one to three times a slow request there. */
export const BUSY_MS = 10;

/** Duration of a round, less an idle round trip, that counts as strain 1: what a client may have to wait. */
export const SLOW_MS = 20;

/** Strain up to which the server counts as calm. */
export const CALM = 0.5;

/** Smallest limit under strain: with less, the round trip would cost more than the work. */
export const MIN_LIMIT = 16;

/** Limit of the first round, before anything is known of the server; doubles from there. */
export const FIRST_LIMIT = 128;

/** Longest pause between two rounds while something is due. */
export const MAX_PAUSE_MS = 1_000;

/** Shortest pause under strain: long enough for a queue of small requests to drain. */
export const MIN_STRAIN_PAUSE_MS = 5;

/** Shortest sleep when nothing is due; a shorter interval wins. */
export const IDLE_FLOOR_MS = 1_000;

/** Milliseconds by which the oldest overdue entry may lag before the sweeper hurries: deadlines are whole seconds. */
export const LATE_MS = 1_000;

/** Part of the time that the sweeper takes when there is no hurry; 25 % as in valkey's active expiry. */
export const KEEPING_UP_SHARE = 0.25;

/** What the operator sets. */
export interface PaceSettings {
  /** Entries per round at most. */
  readonly batch: number;
  /** Entries per second at most; 0 = no cap. */
  readonly maxRate: number;
  /** Milliseconds between looks at an index in which nothing is due. */
  readonly intervalMs: number;
}

/** What is known after a round. */
export interface PaceInput {
  /** The limit that the round had. */
  readonly limit: number;
  /** Entries that the server looked at in the round; 0 when it was only asked for its state. */
  readonly entries: number;
  /** Milliseconds that the round took. */
  readonly durationMs: number;
  /** Milliseconds that a round trip without work takes. */
  readonly idleTripMs: number;
  /** True when something is left that is due. */
  readonly more: boolean;
  /** Milliseconds by which the oldest overdue entry is late. */
  readonly lagMs: number;
  /** True for full speed on a calm server however late the oldest entry is. */
  readonly isUrgent: boolean;
  /** Milliseconds until the earliest deadline in the index; Infinity when there is none. */
  readonly untilDueMs: number;
  /** Milliseconds by which the server's event loop was late lately. */
  readonly busyMs: number;
}

/** What to do next: pause, then take at most `limit` entries. */
export interface Pace {
  readonly limit: number;
  readonly pauseMs: number;
}

/** The limit of the very first round. */
export function firstLimit(settings: PaceSettings): number {
  return Math.min(FIRST_LIMIT, largestLimit(settings));
}

/** Decides the next round's limit and the pause before it; see the top of this file for the policy. */
export function nextPace(input: PaceInput, settings: PaceSettings): Pace {
  const free = input.more ? workingPace(input, settings) : idlePace(input, settings);
  return { limit: free.limit, pauseMs: Math.max(free.pauseMs, ratePauseMs(input, settings)) };
}

function idlePace(input: PaceInput, settings: PaceSettings): Pace {
  const floor = Math.min(IDLE_FLOOR_MS, settings.intervalMs);
  const pauseMs = Math.min(settings.intervalMs, Math.max(floor, input.untilDueMs));
  return { limit: clampLimit(input.limit, settings), pauseMs };
}

function workingPace(input: PaceInput, settings: PaceSettings): Pace {
  const strain = strainOf(input);
  const tookMs = Math.max(0, input.durationMs);
  const isLate = input.lagMs > LATE_MS;
  if (isLate) return { limit: clampLimit(input.limit * 2, settings), pauseMs: 0 };
  if (strain > 1) {
    const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(MIN_STRAIN_PAUSE_MS, tookMs * 3 * strain));
    return { limit: clampLimit(Math.floor(input.limit / 2), settings), pauseMs };
  }
  if (strain > CALM) {
    return { limit: clampLimit(input.limit, settings), pauseMs: Math.min(MAX_PAUSE_MS, tookMs) };
  }
  const limit = clampLimit(input.limit * 2, settings);
  if (input.isUrgent) return { limit, pauseMs: 0 };
  return { limit, pauseMs: Math.min(MAX_PAUSE_MS, tookMs * (1 / KEEPING_UP_SHARE - 1)) };
}

function strainOf(input: PaceInput): number {
  const workMs = Math.max(0, input.durationMs - input.idleTripMs);
  return Math.max(input.busyMs / BUSY_MS, workMs / SLOW_MS);
}

/** Rounded up, because a timer that fires early by a part of a millisecond would exceed the cap. */
function ratePauseMs(input: PaceInput, settings: PaceSettings): number {
  if (settings.maxRate === 0) return 0;
  return Math.max(0, Math.ceil((input.entries * 1000) / settings.maxRate - input.durationMs));
}

function largestLimit(settings: PaceSettings): number {
  if (settings.maxRate === 0) return settings.batch;
  return Math.min(settings.batch, Math.max(1, Math.floor(settings.maxRate / 10)));
}

function clampLimit(limit: number, settings: PaceSettings): number {
  const largest = largestLimit(settings);
  return Math.min(largest, Math.max(Math.min(MIN_LIMIT, largest), limit));
}
