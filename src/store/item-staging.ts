import { BuiltItem, type Item, type Place } from '../item.ts';
import { STEP_BYTES } from '../steps.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Contents } from './contents.ts';
import type { Copies, Copy } from './copies.ts';
import { type DeadRows, TABLE_ROW_BYTES } from './dead-rows.ts';
import { itemRowBytes, RECORD_HEAD_BYTES } from './item-row.ts';
import { countRow, uncountRow } from './row-bytes.ts';
import { Slab } from './slab.ts';
import type { TtlIndex } from './ttl-index.ts';
import { COPIED_VALUE_BYTES, INLINE_MAX } from './tuning.ts';
import { KINDS, valueKind } from './value-kind.ts';
import { NO_REST } from './value-log.ts';
import { isToldByRecord, writeRecord, writeRecordHead, writeUnsummed } from './value-record.ts';
import type { ValueSpace } from './value-space.ts';

/** What a staged item takes besides key and value: about so much of V8's heap. */
const ENTRY_BYTES = 512;

/**
 * Stages what becomes of items on disk: each change goes into the group that is committed next, and into all that is
 * counted of items at once. `old` is what a key has on disk, or will have when all is committed that is staged.
 */
export class ItemStaging {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  readonly #space: ValueSpace;
  readonly #index: TtlIndex;
  readonly #copies: Copies;
  readonly #deadRows: DeadRows;
  readonly #slab = new Slab();
  /** By kind of record: what goes to one segment lies in a row, and is written as one piece. */
  readonly #recordSlabs: readonly Slab[] = Array.from({ length: KINDS }, () => new Slab());
  /** When something was stored last, in Unix seconds. */
  #storedAt = 0;

  constructor(contents: Contents, pipeline: CommitPipeline, space: ValueSpace, index: TtlIndex, copies: Copies, deadRows: DeadRows) {
    this.#contents = contents;
    this.#pipeline = pipeline;
    this.#space = space;
    this.#index = index;
    this.#copies = copies;
    this.#deadRows = deadRows;
  }

  /** Stages a new value, or its `pieces` where the item is without it. Returns the item as it will be stored, its place assigned. */
  put(key: string, old: Item | undefined, item: Item, pieces?: readonly Buffer[]): Item {
    this.#storedAt = item.storedAt;
    this.#pipeline.staged.dropRecord(key);
    const stored = item.length > INLINE_MAX ? this.#putRecord(key, item, valueKind(item.storedAt, item.expiresAt), pieces) : withValue(item, copied(item.value!, this.#slab), undefined);
    // After a crash rows are made from records, in the order of their cas uniques, one step each.
    if (item.length > STEP_BYTES || item.cas <= this.#contents.casOfGroup) this.#pipeline.staged.changesRows = true;
    this.#stage(key, old, stored, stored.place !== undefined && isToldByRecord(item));
    return stored;
  }

  /** Stages a change of what is known of an item whose value stays where it is. REQUIRES: an inline item has its value. */
  restate(key: string, old: Item, item: Item): void {
    if (item.place !== undefined) this.#space.retain(item.place, item.expiresAt);
    this.#stage(key, old, item, false);
  }

  /** Begins the move of a value to a new place, its record as it is: as `Store.copy`. */
  copy(key: string, item: Item, record: Buffer, isKept: boolean): Copy {
    // By what is left of its life: it is to die with its new neighbours.
    const kind = valueKind(Math.max(item.storedAt, this.#storedAt), item.expiresAt);
    return this.#copies.begin(key, item, record, this.#space.reserveCopy(kind, record.length, this.#storedAt, isKept));
  }

  /** Stages the move of a value to its copy: as `Store.relocate`. */
  relocate(copy: Copy): Item | undefined {
    const { key, place } = copy;
    const old = this.#copies.take(copy);
    if (old === undefined) return undefined;
    this.#pipeline.staged.dropRecord(key);
    this.#space.point(place, old.expiresAt);
    const item = withValue(old, undefined, place);
    this.#stage(key, old, item, 'moved');
    return item;
  }

  /** Stages a delete. */
  remove(key: string, old: Item): void {
    const { counted } = this.#contents;
    const { staged } = this.#pipeline;
    staged.dropRecord(key);
    this.#copies.changed(key, old, null);
    this.#index.leave(key, old);
    this.#forgetOld(key, old, undefined);
    if (counted !== undefined) counted.change(key, -1, -(key.length + old.length));
    // What was only staged never gets a row; the mark that deletes it gets one in any case.
    const dead = staged.put(key, null, false) ? itemRowBytes(key, old) + TABLE_ROW_BYTES : 0;
    this.#deadRows.note(key, dead + 1 + key.length + TABLE_ROW_BYTES);
    staged.bytes += ENTRY_BYTES + key.length;
    this.#pipeline.changed();
  }

  /** Gives a value a place in the value log, and stages its record; `pieces`: the value, where the item is without it. */
  #putRecord(key: string, item: Item, kind: number, pieces?: readonly Buffer[]): Item & { readonly place: Place } {
    const size = RECORD_HEAD_BYTES + key.length + item.length;
    const place = this.#space.reserve(kind, size, item.expiresAt, this.#storedAt);
    const { records } = this.#pipeline.staged;
    const slab = this.#recordSlabs[kind]!;
    if (item.length <= COPIED_VALUE_BYTES) {
      const start = slab.take(size);
      const end = start + size;
      const { bytes } = slab;
      writeRecord(bytes, start, key, item);
      records.set(key, { place, bytes, start, end, rest: NO_REST, isSummed: true });
      return withValue(item, bytes.subarray(end - item.length, end), place);
    }
    const start = slab.take(size - item.length);
    const { bytes } = slab;
    // The checksum of a large value is left to the commit, which has time.
    const isSummed = item.length <= STEP_BYTES;
    if (isSummed) writeRecordHead(bytes, start, key, item);
    else writeUnsummed(bytes, start, key, item);
    records.set(key, { place, bytes, start, end: start + size - item.length, rest: pieces ?? [item.value!], isSummed });
    return withValue(item, item.value, place);
  }

  /** `told` = its record in this group tells all of it; `moved` = nothing but its place is new. */
  #stage(key: string, old: Item | undefined, item: Item, told: boolean | 'moved'): void {
    if (old !== undefined) {
      this.#copies.changed(key, old, item);
      this.#forgetOld(key, old, item.place);
    }
    const { state, counted } = this.#contents;
    countRow(state, itemRowBytes(key, item));
    state.items++;
    state.bytes += key.length + item.length;
    if (counted !== undefined) {
      if (old === undefined) counted.change(key, 1, key.length + item.length);
      else counted.change(key, 0, item.length - old.length);
    }
    const { staged } = this.#pipeline;
    const isNew = told === 'moved' ? staged.move(key, item) : staged.put(key, item, told);
    if (old !== undefined && isNew) this.#deadRows.note(key, itemRowBytes(key, old) + TABLE_ROW_BYTES);
    staged.bytes += ENTRY_BYTES + key.length + (told === 'moved' ? 0 : item.length);
    this.#index.move(key, old, item);
    this.#pipeline.changed();
  }

  /** `place` = where the value lies that takes the place of the old one, which may be the same. */
  #forgetOld(key: string, old: Item, place: Place | undefined): void {
    const { state } = this.#contents;
    state.items--;
    state.bytes -= key.length + old.length;
    uncountRow(state, itemRowBytes(key, old));
    if (old.place !== undefined) this.#space.release(old.place, place);
  }
}

function copied(bytes: Buffer, slab: Slab): Buffer {
  const start = slab.take(bytes.length);
  bytes.copy(slab.bytes, start);
  return slab.bytes.subarray(start, start + bytes.length);
}

/** The item with another value and place. */
function withValue<P extends Place | undefined>(item: Item, value: Buffer | undefined, place: P): Item & { readonly place: P } {
  const { flags, expiresAt, storedAt, cas, ttlShift, bits, chosenCas, length } = item;
  return new BuiltItem(flags, expiresAt, storedAt, cas, ttlShift, bits, chosenCas, length, value, place);
}
