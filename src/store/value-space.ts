import type { Place } from '../item.ts';
import type { Contents } from './contents.ts';
import { DeadRecords } from './dead-records.ts';
import { fillSeconds, KINDS, NEVER } from './value-kind.ts';
import { SEGMENT_BYTES } from './value-log.ts';

/** Bytes from which a segment without live values is removed although it is not full. */
const SEAL_EMPTY_BYTES = 2 ** 20;

/** The same of one with nothing but ends of groups: where all values are small there is no other. */
const SEAL_ENDS_BYTES = 16 * 2 ** 20;

/**
 * Who has which place in the value log: gives places to values, takes note of those that nothing points to any more, and
 * knows which segments hold nothing that is alive.
 */
export class ValueSpace {
  readonly #contents: Contents;
  /** Records that died since the process started. */
  readonly deadRecords: DeadRecords;
  /** Segments without live values, to be removed after the next sync. */
  readonly #empty = new Set<number>();
  /** Segments of values that eviction kept. Known since the start: what was there before counts as new. */
  readonly #kept = new Set<number>();
  /** How many copies there are in a segment that no item points to yet. */
  readonly #copies = new Map<number, number>();

  /** `segmentBytes`: as in the options of the store. */
  constructor(contents: Contents, segmentBytes: number | undefined) {
    this.#contents = contents;
    this.deadRecords = new DeadRecords(segmentBytes ?? SEGMENT_BYTES);
    this.#findEmpty();
  }

  /** The rest of the segments. */
  get deadBytes(): number {
    return Math.max(0, this.#contents.values.bytes - this.#contents.segments.liveBytes);
  }

  /** Segments that only wait for a sync to be removed. */
  get emptySegments(): number {
    return this.#empty.size;
  }

  /** Bytes of the segments that only wait for a sync, or for who reads them, to be removed. */
  get emptyBytes(): number {
    let bytes = 0;
    for (const id of this.#empty) bytes += this.#contents.values.size(id);
    return bytes;
  }

  /** True for a segment of values that eviction kept because they were read. */
  isKept(segment: number): boolean {
    return this.#kept.has(segment);
  }

  /** Takes a place for a record of so many bytes whose value expires then, among those of its kind. `now`: in Unix seconds. */
  reserve(kind: number, size: number, expiresAt: number, now: number): Place {
    const place = this.#reserve(kind, size, now);
    this.#contents.segments.add(place.segment, size, expiresAt);
    return place;
  }

  /**
   * Takes a place for a copy of a record, of a value that eviction kept or not. Copies have segments of their own, which no
   * group of writes goes to. Nothing points to it before `point`.
   */
  reserveCopy(kind: number, size: number, now: number, isKept: boolean): Place {
    const place = this.#reserve((isKept ? KINDS : 2 * KINDS) + kind, size, now);
    if (isKept) this.#kept.add(place.segment);
    this.#copies.set(place.segment, (this.#copies.get(place.segment) ?? 0) + 1);
    return place;
  }

  /** Takes a place for the end of a group: behind its last record, in that segment, or among values that never expire. */
  placeOfEnd(size: number, segment: number | undefined): Place {
    const { values, segments } = this.#contents;
    if (segment !== undefined) return values.extend(segment, size);
    const active = values.activeOf(NEVER);
    if (active !== undefined && values.size(active) >= SEAL_ENDS_BYTES && segments.use(active).liveItems <= 0) this.#emptied(active);
    return this.#reserve(NEVER, size, 0);
  }

  /** An item that expires then points to a copy from now on. */
  point(place: Place, expiresAt: number): void {
    this.#contents.segments.add(place.segment, place.size, expiresAt);
    this.#endCopy(place.segment);
  }

  /** Nothing will ever point to a copy. */
  giveBack(place: Place): void {
    this.deadRecords.note(place);
    this.#endCopy(place.segment);
    if (this.#contents.segments.use(place.segment).liveItems <= 0) this.#emptied(place.segment);
  }

  /** True for a segment with copies that no item points to yet. */
  hasCopies(segment: number): boolean {
    return this.#copies.has(segment);
  }

  /** An item points to this place, besides the one that is about to be released. */
  retain(place: Place, expiresAt: number): void {
    this.#contents.segments.add(place.segment, place.size, expiresAt);
  }

  /** An item does not point to this place any more. `next` = where its value lies now, which may be the same. */
  release(place: Place, next: Place | undefined): void {
    if (next === undefined || next.offset !== place.offset || next.segment !== place.segment) this.deadRecords.note(place);
    if (this.#contents.segments.drop(place.segment, place.size)) this.#emptied(place.segment);
  }

  /** The segments that are without live values now: when that is on disk, `remove` may be called with them. */
  empty(): number[] {
    return [...this.#empty];
  }

  /** Removes those of these segments that are still empty. */
  async remove(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      // Asked for anew each time: a reopen may come in between.
      const { values, segments } = this.#contents;
      if (segments.use(id).liveItems > 0) {
        this.#empty.delete(id);
      } else if (await values.remove(id)) {
        this.#empty.delete(id);
        this.#kept.delete(id);
        this.#contents.segments.forget(id);
        this.deadRecords.forget(id);
      }
    }
  }

  /** The contents were replaced: what was known of segments since the start, and is not on disk, may be wrong. */
  clear(): void {
    this.#empty.clear();
    this.#kept.clear();
    this.#copies.clear();
    // What replaced some of them was lost.
    this.deadRecords.clear();
    this.#findEmpty();
  }

  /** Segments may be empty since their items' rows were made anew. */
  #findEmpty(): void {
    for (const [id, { liveItems }] of this.#contents.segments.entries()) if (liveItems <= 0) this.#empty.add(id);
  }

  #reserve(kind: number, size: number, now: number): Place {
    const { values, segments } = this.#contents;
    const before = values.activeOf(kind);
    const place = values.reserve(kind, size, now, fillSeconds(kind % KINDS));
    // What was full of dead values before it was full is empty from the start.
    if (before !== undefined && before !== place.segment && segments.use(before).liveItems <= 0) this.#emptied(before);
    return place;
  }

  #endCopy(segment: number): void {
    const left = (this.#copies.get(segment) ?? 0) - 1;
    if (left > 0) this.#copies.set(segment, left);
    else this.#copies.delete(segment);
  }

  #emptied(segment: number): void {
    // It only looks empty.
    if (this.#copies.has(segment)) return;
    const { values } = this.#contents;
    // What is still being filled but holds only dead values is worth giving up when it is large.
    if (!values.isSealed(segment) && values.size(segment) >= SEAL_EMPTY_BYTES) values.seal(segment);
    if (values.isSealed(segment)) this.#empty.add(segment);
  }
}
