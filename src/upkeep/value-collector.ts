import type { Residency } from '../cache/residency.ts';
import type { Store } from '../store/store.ts';
import { GrantedDead } from './granted-dead.ts';
import { calmShare, Pauses, type StepTaken } from './pauses.ts';
import { RestWatch } from './rest-watch.ts';
import { isWhole, recordsOf } from './segment-walk.ts';
import { ValueMover } from './value-mover.ts';

/**
 * A segment is rewritten when at least this share of it is dead: a quarter of a byte copied for each gained. Less dead ones go on
 * dying while items are overwritten, and cost less later.
 */
const DEAD_SHARE = 0.8;
/**
 * The same when more is dead than alive, or the disk is tight: a byte copied for each gained, at most. But not while more is being
 * deleted: what is copied then dies soon.
 */
const DEAD_SHARE_IN_NEED = 0.5;
/** The same when nothing more dies: four bytes copied for one gained, but only this once. */
const DEAD_SHARE_AT_REST = 0.2;
/** Dead bytes from which a segment that is still being filled is closed and rewritten, as a share of a full one. */
const OPEN_DEAD_SHARE = 1 / 16;
/** Seconds: a segment whose values all expire within this time is left to expire. */
const SOON = 120;
/** The same while the log is out of proportion, since values that live for seconds are overwritten faster than they expire. */
const AT_ONCE = 5;
/** So many times what is alive, and a few segments, the log may take before it is out of proportion. */
const PROPORTION = 1.5;
const ALLOWANCE_BYTES = 8 * 2 ** 20;
/** Records copied, or moves staged, in one step, and so the most that clients wait for: one takes some 5 us of the event loop. */
const STEP_RECORDS = 32;
/** The same when there is hurry: fewer steps cost less altogether. */
const STEP_RECORDS_IN_HURRY = 128;
/** Bytes staged and not committed above which it waits for the commit. */
const PENDING_BYTES = 2 ** 19;
/**
 * Times as much dead as alive from which on the collector rests no longer than it works, a quarter of that, and not at all, however
 * busy the server: who overwrites at full speed makes dead what it takes all of its speed to give back. A moved value costs as much
 * as a set, and the more may be dead the deader are the segments that are rewritten: these decide what overwriting costs.
 * What is dead because much was deleted at once does not count: it does not grow, so there is time.
 */
const HALF_TIME = 0.85;
const MOST_TIME = 1;
const ALL_TIME = 1.1;
/**
 * Bytes that a store counts as having alive, at least: that a small one takes five times as much is no matter, and the more may be
 * dead, the less is copied. With 100 MB alive half a value was moved for each that was stored when this did not exist, one in
 * sixteen when it was 256 MiB, and now next to none (docs/architecture.md).
 */
const LIVE_MIN: number = 512 * 2 ** 20;
/** The same as a share of `--disk-limit`: what is dead takes no room from what is alive. */
const LIVE_MIN_SHARE = 1 / 8;

export interface CollectorOptions {
  /** By how many milliseconds the event loop was late lately; without it nobody else is there, and the collector never rests. */
  readonly busyMs?: () => number;
  /** Whether there is little room on the disk; undefined = always. */
  readonly isTight?: () => boolean;
  /** The most that the store may take on disk; undefined = any. */
  readonly diskLimit?: number | undefined;
  /** Whether a delete of many items is under way in the background; undefined = never. */
  readonly isDeleting?: () => boolean;
  /** Waits for so many milliseconds, or less when the signal aborts. */
  readonly rest?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Gives back the space of dead values in segments of the value log that still hold live ones: copies
 * the live ones to other segments, so that the segment empties and is removed. A value moves only
 * if its item still points to it at that very moment, and when its copy is on disk (value-mover.ts).
 */
export class ValueCollector {
  readonly #residency: Residency;
  readonly #store: Store;
  readonly #busyMs: (() => number) | undefined;
  readonly #isTight: () => boolean;
  readonly #isDeleting: () => boolean;
  readonly #liveMin: number;
  readonly #pauses: Pauses;
  readonly #rest = new RestWatch();
  readonly #granted = new GrantedDead(HALF_TIME);
  #running = false;
  /** The segment that is being rewritten, and bytes copied of it. */
  #rewriting: number | undefined;
  #copied = 0;
  /** Bytes moved since the process started: of what was copied, what did not change meanwhile. */
  #movedBytes = 0;
  /** Segments with damaged records, which nothing moves. */
  readonly #stuck = new Set<number>();
  /** Since the process started: segments rewritten, bytes copied, and bytes given back by that. */
  readonly done: { segments: number; bytes: number; freed: number } = { segments: 0, bytes: 0, freed: 0 };

  constructor(residency: Residency, store: Store, { busyMs, isTight, isDeleting, diskLimit, rest }: CollectorOptions = {}) {
    this.#pauses = new Pauses(rest);
    this.#residency = residency;
    this.#store = store;
    this.#busyMs = busyMs;
    this.#isTight = isTight ?? (() => true);
    this.#isDeleting = isDeleting ?? (() => false);
    this.#liveMin = Math.min(LIVE_MIN, LIVE_MIN_SHARE * (diskLimit ?? Number.POSITIVE_INFINITY));
  }

  get running(): boolean {
    return this.#running;
  }

  /** The segment that gives back most, or undefined when none is worth it. */
  candidate(now: number): number | undefined {
    const { values, segments } = this.#store;
    const left = now + (this.#isOutOfProportion() ? AT_ONCE : SOON);
    // What is moved here dies where it was.
    const isAtRest = this.#rest.note(segments.diedBytes - this.#movedBytes, values.bytes, performance.now());
    // Noted even when there is nothing to do: what grows is seen by what was there before.
    const isInHurry = this.urgency() > HALF_TIME;
    const isMostDead = this.#store.deadValueBytes - this.#store.emptyBytes > HALF_TIME * this.#live;
    const isInNeed = isInHurry || this.#isTight() || (isMostDead && !this.#isDeleting());
    // What is dead of a small store waits until it is more, or nothing more dies.
    if (this.#store.liveValueBytes < this.#liveMin && !isAtRest && !isInNeed) return undefined;
    let best: number | undefined;
    let bestShare = isAtRest ? DEAD_SHARE_AT_REST : isInNeed ? DEAD_SHARE_IN_NEED : DEAD_SHARE;
    for (const id of values.ids()) {
      const size = values.size(id);
      const use = segments.use(id);
      if (use.liveItems <= 0 || use.latestExpiry <= left || this.#stuck.has(id) || this.#store.hasCopies(id)) continue;
      if (!values.isSealed(id) && size - use.liveBytes < OPEN_DEAD_SHARE * values.segmentBytes) continue;
      const share = 1 - use.liveBytes / size;
      if (share >= bestShare) {
        best = id;
        bestShare = share;
      }
    }
    return best;
  }

  /** Bytes that count as alive. */
  get #live(): number {
    const { liveValueBytes } = this.#store;
    return this.#isTight() ? liveValueBytes : Math.max(this.#liveMin, liveValueBytes);
  }

  #isOutOfProportion(): boolean {
    const { values, emptyBytes } = this.#store;
    return values.bytes - emptyBytes > PROPORTION * this.#live + ALLOWANCE_BYTES;
  }

  /** Rewrites segments while there are any worth it. */
  async run(now: () => number, signal: AbortSignal): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    let syncing: Promise<void> | undefined;
    try {
      for (let id = this.candidate(now()); id !== undefined && !signal.aborted; id = this.candidate(now())) {
        const before = this.#store.segments.use(id).liveBytes;
        const size = this.#store.values.size(id);
        const copied = this.done.bytes;
        if (!this.#store.values.isSealed(id)) this.#store.values.seal(id);
        this.#rewriting = id;
        this.#copied = 0;
        await this.#rewrite(id, signal);
        // The file goes after a sync. The next segment need not wait for that, but no more than one.
        await syncing;
        syncing = this.#store.removeEmpty();
        // It may fail while nobody waits yet.
        syncing.catch(() => {});
        this.done.segments++;
        // A damaged record stays, and may hide what follows it; do not come back to such a segment for ever.
        if (this.#store.segments.use(id).liveBytes < before) this.done.freed += Math.max(0, size - (this.done.bytes - copied));
        else if (!signal.aborted) this.#stuck.add(id);
      }
      await syncing;
    } finally {
      this.#running = false;
      this.#rewriting = undefined;
    }
  }

  async #rewrite(id: number, signal: AbortSignal): Promise<void> {
    // What is on its way to the segment must be there to be seen.
    if (this.#store.hasPending) await this.#store.inLevel();
    const mover = new ValueMover(this.#store, (key, item, from) => {
      this.#residency.moved(key, item, from);
      this.#movedBytes += item.place!.size;
    });
    try {
      let began = performance.now();
      let copied = this.done.bytes;
      for await (const records of recordsOf(this.#store, id, () => this.#stepRecords())) {
        if (signal.aborted) return;
        await this.#residency.itemsOf(id, records, (items) => {
          for (const [i, item] of items.entries()) {
            const walked = records[i]!;
            if (item === undefined || !isWhole(walked)) continue;
            mover.take(walked, item);
            this.done.bytes += walked.record.length;
            this.#copied += walked.record.length;
          }
        });
        await this.#pause({ tookMs: performance.now() - began, items: records.length / 2, bytes: this.done.bytes - copied }, signal);
        await mover.write();
        if (mover.isFull) await this.#settle(mover, signal);
        // What follows is dead.
        if (mover.hasAll(this.#store.segments.use(id).liveItems)) break;
        began = performance.now();
        copied = this.done.bytes;
      }
      await this.#settle(mover, signal);
    } finally {
      mover.drop();
    }
  }

  /** Has items point to their copies, once these are on disk. */
  async #settle(mover: ValueMover, signal: AbortSignal): Promise<void> {
    await mover.secure();
    for (;;) {
      const began = performance.now();
      const items = mover.stage(this.#stepRecords());
      if (items === 0) return;
      if (this.#store.pendingBytes > PENDING_BYTES) await this.#store.inLevel();
      await this.#pause({ tookMs: performance.now() - began, items: items / 2 }, signal);
    }
  }

  #stepRecords(): number {
    return this.urgency() > HALF_TIME ? STEP_RECORDS_IN_HURRY : STEP_RECORDS;
  }

  /** Each record takes two steps, so that it counts as half in each. */
  async #pause(taken: StepTaken, signal: AbortSignal): Promise<void> {
    if (this.#busyMs !== undefined) await this.#pauses.after(taken, restShare(this.#busyMs(), this.urgency()), signal);
  }

  /** How many times as much is dead as alive, of what does not count as granted. Each call is a look that is remembered. */
  urgency(): number {
    const { deadValueBytes: dead, emptyBytes, segments } = this.#store;
    const live = this.#live;
    // Once emptied, all of a segment is in `emptyBytes`.
    const isHalfCopied = this.#rewriting !== undefined && segments.use(this.#rewriting).liveItems > 0;
    return (dead - this.#granted.note(dead, live, emptyBytes + (isHalfCopied ? this.#copied : 0))) / Math.max(1, live);
  }
}

/**
 * Times as long as it worked that the collector rests: clients come first, and nothing is lost by waiting while the disk has room.
 * `busyMs` = by how much the event loop was late lately; `urgency` = how many times as much is dead as alive.
 */
export function restShare(busyMs: number, urgency: number): number {
  if (urgency <= HALF_TIME) return calmShare(busyMs);
  return urgency > ALL_TIME ? 0 : urgency > MOST_TIME ? 0.25 : 1;
}
