import { performance } from 'node:perf_hooks';

/** Milliseconds between two looks while the loop has work to do: what a look can be wrong by. */
const PERIOD_MS = 5;
/**
 * The same while it has little: each look wakes the process, and one every 5 ms was all that an idle server did, with 2.3 % of a
 * core (docs/benchmarks.md).
 */
const IDLE_PERIOD_MS = 50;
/** Share of the time since the last look from which on a loop that was at work has work to do. */
const BUSY_SHARE = 0.1;
/** Looks of one second are one part of the last minute. */
const PARTS = 60;
/** Steps per factor of two: a percentile is right within 9 %. */
const STEPS_PER_OCTAVE = 8;
/** Delays below this many milliseconds are all in the first step. */
const LEAST_MS = 0.125;
/** Up to 2^20 times LEAST_MS, more than two minutes. */
const STEPS: number = 20 * STEPS_PER_OCTAVE + 1;

/** Milliseconds above which delays are counted for stats. */
const COUNTED_ABOVE_MS = [10, 50, 100, 500] as const;

/** Counts of delays in steps that grow, in a fixed amount of memory. */
export class DelayHistogram {
  readonly #counts = new Uint32Array(STEPS);
  #total = 0;
  #max = 0;

  /** How many delays were recorded. */
  get total(): number {
    return this.#total;
  }

  /** The longest in milliseconds; 0 without any. */
  get max(): number {
    return this.#max;
  }

  record(ms: number): void {
    const step = ms <= LEAST_MS ? 0 : Math.min(STEPS - 1, Math.ceil(Math.log2(ms / LEAST_MS) * STEPS_PER_OCTAVE));
    this.#counts[step]!++;
    this.#total++;
    if (ms > this.#max) this.#max = ms;
  }

  add(other: DelayHistogram): void {
    for (let i = 0; i < STEPS; i++) this.#counts[i]! += other.#counts[i]!;
    this.#total += other.#total;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Milliseconds that this share of the delays (0 to 1) did not exceed, at most 9 % too high; 0 without any. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.#total);
    for (let step = 0; step < STEPS && left > 0; step++) {
      left -= this.#counts[step]!;
      if (left <= 0) return step === 0 ? Math.min(LEAST_MS, this.#max) : Math.min(this.#max, LEAST_MS * 2 ** (step / STEPS_PER_OCTAVE));
    }
    return 0;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#max = 0;
  }
}

/**
 * By how much the event loop is late: what every client waits for beside its own request. Looks every 5 ms how long
 * ago the last look was, and less often while the loop is idle. Something that holds the loop up is seen with its length, or up to 5 ms
 * less (up to 50 ms less if it is the first after a time of little work), and once: percentiles are over looks, so what matters
 * for one long step is the maximum.
 */
export class LoopDelay {
  readonly #nowMs: () => number;
  readonly #activeMs: () => number;
  readonly #all = new DelayHistogram();
  /** Seconds that are over, and the one that is not. */
  readonly #parts = Array.from({ length: PARTS }, () => new DelayHistogram());
  readonly #above = COUNTED_ABOVE_MS.map(() => 0);
  #part = 0;
  #lastMs = 0;
  #lastActiveMs = 0;
  #periodMs = PERIOD_MS;
  #lastSecondMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `nowMs` is a clock that never goes back, `activeMs` the time for which the loop did not wait for events. */
  constructor(nowMs: () => number = () => performance.now(), activeMs: () => number = () => performance.eventLoopUtilization().active) {
    this.#nowMs = nowMs;
    this.#activeMs = activeMs;
  }

  /** Milliseconds from the last look to the next. */
  get periodMs(): number {
    return this.#periodMs;
  }

  start(): void {
    this.#lastMs = this.#nowMs();
    this.#lastActiveMs = this.#activeMs();
    this.#lookLater();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** 99th percentile of the last whole second, in milliseconds. */
  get lastSecondMs(): number {
    return this.#lastSecondMs;
  }

  /** Notes how late this call is. Called `periodMs` after the last. */
  look(): void {
    const now = this.#nowMs();
    const passed = now - this.#lastMs;
    const late = Math.max(0, passed - this.#periodMs);
    this.#lastMs = now;
    const active = this.#activeMs();
    this.#periodMs = active - this.#lastActiveMs < BUSY_SHARE * passed ? IDLE_PERIOD_MS : PERIOD_MS;
    this.#lastActiveMs = active;
    this.#parts[this.#part]!.record(late);
    this.#all.record(late);
    for (let i = 0; i < COUNTED_ABOVE_MS.length && late > COUNTED_ABOVE_MS[i]!; i++) this.#above[i]!++;
  }

  /** Ends a second. */
  tick(): void {
    this.#lastSecondMs = this.#parts[this.#part]!.percentile(0.99);
    this.#part = (this.#part + 1) % PARTS;
    this.#parts[this.#part]!.clear();
  }

  /** Forgets all, for `stats reset`. */
  reset(): void {
    this.#all.clear();
    for (const part of this.#parts) part.clear();
    this.#above.fill(0);
  }

  /** Names and values for `stats load`. */
  stats(): [string, string | number][] {
    const minute = new DelayHistogram();
    for (const part of this.#parts) minute.add(part);
    return [
      ['loop_looks', this.#all.total],
      ...figures('loop_delay_ms', this.#all),
      ...figures('loop_delay_minute_ms', minute),
      ...COUNTED_ABOVE_MS.map((ms, i): [string, number] => [`loop_delays_above_${ms}_ms`, this.#above[i]!]),
    ];
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.look();
      this.#lookLater();
    }, this.#periodMs).unref();
  }
}

function figures(name: string, delays: DelayHistogram): [string, string][] {
  return [
    [`${name}_p50`, delays.percentile(0.5).toFixed(1)],
    [`${name}_p99`, delays.percentile(0.99).toFixed(1)],
    [`${name}_p999`, delays.percentile(0.999).toFixed(1)],
    [`${name}_max`, delays.max.toFixed(1)],
  ];
}
