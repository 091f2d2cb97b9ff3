import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds by which the event loop is late when the server is busy. */
const BUSY_MS = 10;
/** Shorter rests are saved up: no timer is more exact. */
const REST_MIN_MS = 1;
/** Longest rest, in milliseconds. */
const REST_MAX_MS = 1000;

/** Waits for so many milliseconds, or less when the signal aborts; 0 = for what is waiting now. */
export type Rest = (ms: number, signal: AbortSignal) => Promise<void>;

/**
 * The pauses of work in the background between its steps. After each, what waits has its turn, however little there is to rest: clients
 * wait for one short step, not for many.
 */
export class Pauses {
  readonly #rest: Rest;
  #owedMs = 0;

  constructor(rest: Rest = restFor) {
    this.#rest = rest;
  }

  /** Pauses after a step that took so long; `share` = times as long as that to rest. */
  async after(workMs: number, share: number, signal: AbortSignal): Promise<void> {
    this.#owedMs = Math.min(REST_MAX_MS, this.#owedMs + workMs * share);
    const restMs = this.#owedMs < REST_MIN_MS ? 0 : this.#owedMs;
    this.#owedMs -= restMs;
    await this.#rest(restMs, signal);
  }
}

/**
 * Times as long as it worked that work rests which can wait: three quarters of the time are for clients, and more when the event loop
 * is late, which is when they wait. `busyMs` = by how much it was late lately. With half of the time for clients the p99 of gets from
 * a server with nothing else to do was 4 times what it is without such work, with three quarters twice.
 */
export function calmShare(busyMs: number): number {
  return 3 * Math.max(1, busyMs / BUSY_MS);
}

async function restFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await (ms === 0 ? nextTurn(undefined, { signal }) : sleep(ms, undefined, { signal }));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
