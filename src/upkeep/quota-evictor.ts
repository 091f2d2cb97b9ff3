import type { ReadSketch } from '../ram/read-sketch.ts';
import { addReport, type EvictReport, giveUp, type GiveUpDeps, isAlive, nothingGivenUp } from './give-up.ts';
import type { Quota, Quotas } from './quotas.ts';

/** Rows looked at in one step. */
const STEP_ROWS = 256;
/** Share of a step's items that may be kept for having been read while the quota is nearly used up: the rest goes however often it is read. */
const KEPT_SHARE_IN_HURRY = 0.2;
/** Bytes staged and not committed above which it waits. */
const PENDING_BYTES = 4 * 2 ** 20;
/** Items deleted after which the range that the hand went over is compacted: their tombstones would slow scans down. */
const COMPACT_AFTER_ITEMS = 16_384;
/** Steps of one call that has only so many bytes to free: who asks waits for the answer. */
const STEPS_MAX = 64;
/** Laps over a prefix that gain nothing, after which it is given up for this time: what was read most outlives three. */
const FRUITLESS_LAPS = 6;

export interface QuotaEvictorDeps extends GiveUpDeps {
  readonly sketch: ReadSketch;
  readonly quotas: Quotas;
}

/** Where an eviction under one prefix is, as far as it is not on disk. */
interface Course {
  fruitless: number;
  /** Items deleted since `from`, where the range to be compacted begins; undefined = at the prefix. */
  deleted: number;
  from: string | undefined;
}

/**
 * Keeps what is stored under prefixes below their quotas, by giving up what was not read lately there: a hand goes over
 * the keys of the prefix in their order, deletes what is dead or was not read since it came by last, and leaves alone
 * what was stored since its lap began. Where it is lies on disk, so it goes on there after a restart.
 *
 * Quotas take turns, a step each. A step stages at most 256 deletes and goes on to read the next keys while they are
 * written.
 */
export class QuotaEvictor {
  readonly #deps: QuotaEvictorDeps;
  readonly #courses = new Map<Quota, Course>();
  readonly #done: EvictReport = nothingGivenUp();
  #running = false;
  /** Whose turn it was last. */
  #last: Quota | undefined;

  constructor(deps: QuotaEvictorDeps) {
    this.#deps = deps;
  }

  get running(): boolean {
    return this.#running;
  }

  /** All since the process started. */
  get done(): Readonly<EvictReport> {
    return this.#done;
  }

  /** Bytes that should go now; 0 while no quota is nearly used up. */
  get excess(): number {
    return this.#deps.quotas.wanted().bytes;
  }

  /**
   * Gives up items until so many bytes are free, or no quota is nearly used up; one step at least, and not very many
   * unless all is asked for. Not for two at a time.
   */
  async evict(bytes: number, signal: AbortSignal): Promise<EvictReport> {
    const { quotas, sketch, store } = this.#deps;
    const total = nothingGivenUp();
    if (this.#running) return total;
    this.#running = true;
    const givenUp = new Set<Quota>();
    try {
      sketch.fit(store.state.items);
      const steps = Number.isFinite(bytes) ? STEPS_MAX : Number.POSITIVE_INFINITY;
      for (let step = 0; step < steps && total.bytes < bytes && !signal.aborted && store.failure === undefined; step++) {
        const quota = this.#next(quotas.wanted().quotas.filter((each) => !givenUp.has(each)));
        if (quota === undefined) break;
        const report = nothingGivenUp();
        if (!(await this.#step(quota, report))) givenUp.add(quota);
        addReport(total, report);
        addReport(this.#done, report);
      }
      await store.inLevel();
    } finally {
      this.#running = false;
    }
    return total;
  }

  /** The quota behind that of the last step. */
  #next(wanted: readonly Quota[]): Quota | undefined {
    const after = this.#last === undefined ? 0 : wanted.indexOf(this.#last) + 1;
    this.#last = wanted[after] ?? wanted[0];
    return this.#last;
  }

  /** One step under one prefix; false when nothing can be gained there now. */
  async #step(quota: Quota, report: EvictReport): Promise<boolean> {
    const { store, cache } = this.#deps;
    const { counted } = quota;
    const course = this.#courseOf(quota);
    // The first lap of all begins now.
    if (counted.handCas === 0) store.moveHandUnder(counted, counted.hand, store.state.cas);
    const { found, next } = await store.scan(counted.prefix, counted.hand, STEP_ROWS);
    const keys = found.map(({ key }) => key);
    await cache.residency.withKnown(keys, () => {
      const last = this.#judge(quota, keys, report);
      const isLapOver = last === undefined && next === undefined;
      // What is stored from now on is left alone by the next lap.
      store.moveHandUnder(counted, last ?? next, isLapOver ? store.state.cas : counted.handCas);
    });
    const deleted = report.evicted + report.dead;
    course.deleted += deleted;
    const isLapOver = counted.hand === undefined;
    if (deleted > 0) course.fruitless = 0;
    else if (isLapOver) course.fruitless++;
    // What the lap deleted must be gone for the next one not to meet it.
    if (isLapOver || store.pendingBytes > PENDING_BYTES) await store.inLevel();
    if (course.deleted >= COMPACT_AFTER_ITEMS) {
      await store.compactBetween(course.from ?? counted.prefix, isLapOver ? keys.at(-1) : counted.hand);
      course.deleted = 0;
      course.from = counted.hand;
    } else if (isLapOver) {
      course.from = undefined;
    }
    if (course.fruitless < FRUITLESS_LAPS) return true;
    course.fruitless = 0;
    return false;
  }

  /** Deletes what may go of some keys, in one go. Returns the last key looked at when there was room again before the end. */
  #judge({ counted, low, high }: Quota, keys: readonly string[], report: EvictReport): string | undefined {
    const { cache, store, sketch } = this.#deps;
    const { residency } = cache;
    const now = cache.now();
    let left = counted.bytes > high ? KEPT_SHARE_IN_HURRY * keys.length : keys.length;
    for (const key of keys) {
      const item = residency.currentOf(key);
      if (item === undefined || item === null) continue;
      report.scanned++;
      if (isAlive(item, now, store)) {
        if (item.cas > counted.handCas) {
          report.kept++;
          continue;
        }
        if (sketch.take(residency.hashOf(key)) && left >= 1) {
          left--;
          report.kept++;
          continue;
        }
      }
      giveUp(this.#deps, key, item, now, report);
      if (counted.bytes <= low) return key;
    }
    return undefined;
  }

  #courseOf(quota: Quota): Course {
    let course = this.#courses.get(quota);
    if (course === undefined) {
      course = { fruitless: 0, deleted: 0, from: quota.counted.hand };
      this.#courses.set(quota, course);
    }
    return course;
  }
}
