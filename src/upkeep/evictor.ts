import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReadSketch } from '../ram/read-sketch.ts';
import { bytesOf, type DiskBudget } from './disk-budget.ts';
import { addReport, type EvictReport, giveUp, type GiveUpDeps, isAlive, nothingGivenUp } from './give-up.ts';
import { isWhole, recordsOf } from './segment-walk.ts';
import { ValueMover } from './value-mover.ts';

/** Rows that the hand looks at in one step. */
const STEP_ROWS = 256;
/** Steps after which the range that the hand went over is compacted, which gives the space of its dead rows back. */
const STEPS_PER_RANGE = 64;
/** Share of a segment's bytes that may be kept: the rest is given up however often it is read, or nothing would be gained. */
const KEPT_SHARE = 0.5;
/** The same while the server has to hurry. At the very limit nothing is kept. */
const KEPT_SHARE_IN_HURRY = 0.2;
/**
 * The segments of what was never judged are asked first while they have this share of the bytes: most items are read soon
 * or not at all, and those that were kept once are not displaced by them. Less would serve steady traffic a little better,
 * but give items too little time to be read once what is popular changes (docs/expiry.md, "Hit rates").
 */
const NEW_SHARE = 0.3;
/** Bytes staged and not committed above which it waits. */
const PENDING_BYTES = 4 * 2 ** 20;
/** Bytes of empty segments that are given back together: that takes an fsync. */
const SYNC_BYTES = 16 * 2 ** 20;
/** Bytes of an inline item's row besides key and value. */
const ROW_BYTES = 40;
/** Inline items below this share of all bytes are not worth looking for. */
const ROWS_SHARE_MIN = 0.01;
/** Milliseconds after which LevelDB's files are measured again, and the share of the limit whose writing makes it sooner. */
const MEASURE_MS = 10_000;
const MEASURE_SHARE = 0.01;

export interface EvictorDeps extends GiveUpDeps {
  readonly sketch: ReadSketch;
  readonly budget: DiskBudget;
  /** Rows that the hand looks at in one step; 256 unless told. */
  readonly stepRows?: number;
}

/**
 * Keeps the store below a limit on its bytes on disk, by giving up what was not read lately:
 *
 * - Values in segments: a segment goes as a whole. What of it was read since it was written or last judged is copied to
 *   the segments of what was kept, as much as half of it; the rest is evicted with the file, so space comes back at once
 *   and nothing is left to compact. The oldest segment of what is new goes while there is enough of that, else the
 *   oldest of what was kept: two queues as in S3-FIFO, each FIFO with reinsertion (GCLOCK), in units of a segment.
 * - Items in LevelDB's rows: a hand goes over the keys in their order, evicts what was not read since it came by last,
 *   and leaves alone what was stored since this lap began. Where it was, the range is compacted. In a hurry it makes the
 *   lap begin anew, rather than go on, where it finds what is new alone; at the very limit it evicts what was read as well.
 *
 * Which of the two is asked is decided by what share of the bytes each has. Everything works in steps that each wait
 * for their commit. A restart goes on where it was, but has forgotten what was read.
 */
export class Evictor {
  readonly #deps: EvictorDeps;
  #levelMeasured = 0;
  #levelWrittenAt = 0;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #measuring: Promise<void> | undefined;
  #running = false;
  /** True from `begin` down to `low`. */
  #isWanted = false;
  /** Segments that could not be emptied: what is damaged in them hides the rest. */
  readonly #stuck = new Set<number>();
  /** Bytes evicted of each kind lately, to take turns. */
  #fromValues = 0;
  /** Bytes of segments that are empty and wait for a sync to be removed. */
  #unsynced = 0;
  #fromRows = 0;
  /** The hand found nothing to evict when it went last, and no segment was asked since. */
  #isHandFruitless = false;
  readonly #done: EvictReport = nothingGivenUp();
  /** What the step that is under way came to so far. */
  #underWay: EvictReport = nothingGivenUp();

  constructor(deps: EvictorDeps) {
    this.#deps = deps;
  }

  get budget(): DiskBudget {
    return this.#deps.budget;
  }

  get running(): boolean {
    return this.#running;
  }

  /** All since the process started. */
  get done(): Readonly<EvictReport> {
    return this.#done;
  }

  /** Bytes that the items took which were given up since the process started, those of the step under way included. */
  get bytesGivenUp(): number {
    return this.#done.bytes + this.#underWay.bytes;
  }

  /** Bytes on disk now. */
  get used(): number {
    const { store } = this.#deps;
    return bytesOf({
      levelMeasured: this.#levelMeasured,
      levelWritten: Math.max(0, store.levelBytesWritten - this.#levelWrittenAt),
      values: store.values.bytes,
    });
  }

  /** Bytes that should go now; 0 while there is room. */
  get excess(): number {
    // What is only waiting to be removed is as good as gone: to a dump that reads it, or to the next sync.
    const used = this.used - this.#deps.store.emptyBytes;
    const { begin, low } = this.#deps.budget;
    if (used > begin) this.#isWanted = true;
    else if (used <= low) this.#isWanted = false;
    return this.#isWanted ? Math.max(1, used - low) : 0;
  }

  /** Looks how large LevelDB's files are, if enough was written or enough time went by since. */
  async measure(isUrgent = false): Promise<void> {
    const { store, budget } = this.#deps;
    const written = store.levelBytesWritten - this.#levelWrittenAt;
    if (!isUrgent && written < MEASURE_SHARE * budget.limit && performance.now() - this.#measuredAtMs < MEASURE_MS) return;
    this.#measuring ??= this.#measure().finally(() => (this.#measuring = undefined));
    await this.#measuring;
  }

  /** Gives up items until so many bytes are free, or there is room again; one step at least. Not for two at a time. */
  async evict(bytes: number, signal: AbortSignal): Promise<EvictReport> {
    const total = nothingGivenUp();
    if (this.#running) return total;
    this.#running = true;
    try {
      this.#deps.sketch.fit(this.#deps.store.state.items);
      let freed = 0;
      let fruitless = 0;
      do {
        const report = nothingGivenUp();
        this.#underWay = report;
        const gained = await this.#step(report, signal);
        addReport(total, report);
        this.#underWay = nothingGivenUp();
        addReport(this.#done, report);
        freed += gained;
        fruitless = gained > 0 ? 0 : fruitless + 1;
        await this.measure();
      } while (freed < bytes && fruitless < 4 && this.excess > 0 && !signal.aborted);
      await this.#sync();
    } finally {
      this.#running = false;
    }
    return total;
  }

  async #measure(): Promise<void> {
    const { store } = this.#deps;
    const written = store.levelBytesWritten;
    this.#levelMeasured = await store.levelDiskBytes();
    this.#levelWrittenAt = written;
    this.#measuredAtMs = performance.now();
  }

  /** Evicts from what has had less than its share; returns the bytes that came free. */
  async #step(report: EvictReport, signal: AbortSignal): Promise<number> {
    const values = this.#deps.store.values.bytes;
    const rows = this.#rowBytes();
    const segment = this.#nextSegment();
    const areRowsWorthIt = rows > ROWS_SHARE_MIN * (values + rows);
    // Where the hand finds nothing for long, its share would never be had, and segments never be asked.
    const isTurnOfValues = this.#isHandFruitless || this.#fromValues / values <= this.#fromRows / rows;
    if (segment !== undefined && (!areRowsWorthIt || isTurnOfValues)) {
      this.#isHandFruitless = false;
      const freed = await this.#evictSegment(segment, report, signal);
      this.#fromValues += freed;
      return freed;
    }
    const freed = await this.#evictRows(report, signal);
    this.#isHandFruitless = freed === 0;
    this.#fromRows += freed;
    return freed;
  }

  /** Bytes of items that lie in LevelDB as a whole. */
  #rowBytes(): number {
    const { state, segments } = this.#deps.store;
    let outside = 0;
    for (const [, use] of segments.entries()) outside += use.liveBytes;
    return Math.max(0, state.bytes - outside);
  }

  /** The segment to go next. With none full, the largest that is being filled: values of one kind alone may exceed a small limit. */
  #nextSegment(): number | undefined {
    const { store } = this.#deps;
    const { values, segments } = store;
    // What is empty and only waits to be removed has nothing more to give.
    const ids = values.ids().filter((id) => !this.#stuck.has(id) && segments.use(id).liveItems > 0 && !store.hasCopies(id));
    const sealed = ids.filter((id) => values.isSealed(id)).toSorted((a, b) => a - b);
    const bytesOfNew = ids.reduce((sum, id) => (store.isKept(id) ? sum : sum + values.size(id)), 0);
    const isNewFirst = bytesOfNew >= NEW_SHARE * values.bytes;
    const oldest = sealed.find((id) => store.isKept(id) !== isNewFirst) ?? sealed[0];
    if (oldest !== undefined) return oldest;
    const largest = ids.toSorted((a, b) => values.size(b) - values.size(a))[0];
    if (largest === undefined) return undefined;
    values.seal(largest);
    return largest;
  }

  async #evictSegment(id: number, report: EvictReport, signal: AbortSignal): Promise<number> {
    const { cache, store, sketch } = this.#deps;
    const { residency } = cache;
    const size = store.values.size(id);
    let left = this.#keptShare() * size;
    let kept = 0;
    // What is on its way to the segment must be there to be seen.
    if (store.hasPending) await store.inLevel();
    const mover = new ValueMover(store, (key, item, from) => residency.moved(key, item, from));
    try {
      for await (const records of recordsOf(store, id)) {
        if (signal.aborted) return 0;
        await residency.itemsOf(id, records, (items) => {
          const now = cache.now();
          for (const [i, item] of items.entries()) {
            if (item === undefined) continue;
            const walked = records[i]!;
            const { key, record } = walked;
            report.scanned++;
            const isHot = isAlive(item, now, store) && left >= record.length && sketch.take(residency.hashOf(key));
            if (!isHot || !isWhole(walked)) {
              giveUp(this.#deps, key, item, now, report);
              continue;
            }
            mover.take(walked, item, true);
            left -= record.length;
            kept += record.length;
            report.kept++;
            report.keptBytes += record.length;
          }
        });
        await mover.write();
        if (mover.isFull) await this.#settle(mover);
        // The next records are read while these are on their way, but not without a bound.
        if (store.pendingBytes > PENDING_BYTES) await store.inLevel();
      }
      await this.#settle(mover);
    } finally {
      mover.drop();
    }
    if (store.segments.use(id).liveItems > 0) this.#stuck.add(id);
    this.#unsynced += size;
    // Removes the files, once nothing on disk refers to them.
    if (this.#unsynced >= SYNC_BYTES || this.used > this.budget.high) await this.#sync();
    return store.segments.use(id).liveItems > 0 ? 0 : Math.max(1, size - kept);
  }

  /** Has items that are kept point to their copies, once these are on disk. */
  async #settle(mover: ValueMover): Promise<void> {
    await mover.secure();
    while (mover.stage(STEP_ROWS) > 0) await nextTurn();
  }

  async #sync(): Promise<void> {
    if (this.#unsynced === 0) return;
    this.#unsynced = 0;
    await this.#deps.store.removeEmpty();
  }

  #keptShare(): number {
    const { used, budget } = this;
    if (used >= budget.full) return 0;
    return used > budget.high ? KEPT_SHARE_IN_HURRY : KEPT_SHARE;
  }

  async #evictRows(report: EvictReport, signal: AbortSignal): Promise<number> {
    const { cache, store, sketch, stepRows = STEP_ROWS } = this.#deps;
    const { residency } = cache;
    // The first lap of all begins now: what was stored before there was a limit may go in it.
    if (store.state.handCas === 0) store.changeState({ handCas: store.state.cas });
    const from = await store.hand();
    let hand = from;
    let freed = 0;
    let young = 0;
    let isLapOver = false;
    for (let i = 0; i < STEPS_PER_RANGE && !isLapOver && !signal.aborted; i++) {
      const { found, next } = await store.scan('', hand, stepRows);
      const rows = found.filter(({ item }) => item.place === undefined);
      await residency.withKnown(
        rows.map(({ key }) => key),
        () => {
          const now = cache.now();
          const keepsRead = this.used < this.budget.full;
          for (const { key } of rows) {
            const item = residency.currentOf(key);
            if (item === undefined || item === null || item.place !== undefined) continue;
            report.scanned++;
            const isYoung = item.cas > store.state.handCas;
            if (isAlive(item, now, store) && (isYoung || (sketch.take(residency.hashOf(key)) && keepsRead))) {
              report.kept++;
              if (isYoung) young++;
              continue;
            }
            freed += ROW_BYTES + key.length + item.length;
            giveUp(this.#deps, key, item, now, report);
          }
        },
      );
      hand = next;
      isLapOver = next === undefined;
      store.moveHand(hand);
      // What is stored from now on is left alone by the next lap.
      if (isLapOver) store.changeState({ handCas: store.state.cas });
      // In a hurry the next rows are read while these are on their way: writers wait for the end of the range.
      if (this.used <= this.budget.high || store.pendingBytes > PENDING_BYTES) await store.inLevel();
    }
    await store.inLevel();
    // The rest of a long lap may all be new. Writers cannot wait for its end: what is there by now may go, from this range on, since
    // where keys are in the order of their writing its rows are older than those ahead.
    if (freed === 0 && young > 0 && this.used > this.budget.high) {
      store.moveHand(from);
      store.changeState({ handCas: store.state.cas });
      await store.inLevel();
    }
    if (freed > 0) {
      await store.compactBetween(from, hand);
      await this.measure(true);
    }
    return freed;
  }
}
