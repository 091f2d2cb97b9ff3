import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds by which the event loop is late when the server is busy. */
const BUSY_MS = 10;
/**
 * Milliseconds of the event loop that an item takes at most, and each byte of its value where that is moved: 10 to 20 us were measured
 * for small ones, with their part of the commit. What a step took beyond that it waited, for clients among others.
 */
const ITEM_MS_MAX = 0.025;
const BYTE_MS_MAX = 2e-6;
/** Shorter rests are saved up: no timer is more exact. */
const REST_MIN_MS = 1;
/** Longest rest, in milliseconds. */
const REST_MAX_MS = 1000;

/** Waits for so many milliseconds, or less when the signal aborts; 0 = for what is waiting now. */
export type Rest = (ms: number, signal: AbortSignal) => Promise<void>;

/** What a step was: how long it took, waits and all; on how many items; and bytes of values that it moved. */
export interface StepTaken {
  readonly tookMs: number;
  readonly items: number;
  readonly bytes?: number;
}

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

  /** Pauses after a step; `share` = times as long as its work to rest. */
  async after({ tookMs, items, bytes = 0 }: StepTaken, share: number, signal: AbortSignal): Promise<void> {
    const workMs = Math.min(tookMs, items * ITEM_MS_MAX + bytes * BYTE_MS_MAX);
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
