import type { Item, Place } from '../item.ts';
import { joinInSteps } from '../steps.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Contents } from './contents.ts';
import { ItemCursor, type Scan } from './item-cursor.ts';
import { readItemRow, RECORD_HEAD_BYTES } from './item-row.ts';
import { decodeJob, JOBS_FROM, JOBS_TO, type JobRow, numberOfJob } from './job-row.ts';
import { HAND_KEY, itemKey } from './keys.ts';
import { checkedValueOf, isAsInRecord, itemOfRecord, valueOfRecord } from './value-record.ts';

/** Largest record that is read at once: more is worth a thread. */
const READ_NOW_BYTES = 16 * 1024;

/** Reads what is committed, checked: rows of items, values, and how far background work has come. */
export class CommittedReader {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  readonly #damaged: (where: string) => void;

  /** `damaged` is told where something fails its checksum, or is gone. */
  constructor(contents: Contents, pipeline: CommitPipeline, damaged: (where: string) => void) {
    this.#contents = contents;
    this.#pipeline = pipeline;
    this.#damaged = damaged;
  }

  /** Reads what is committed of some keys. Inline values come along; others are read with `readValue`. */
  async fetch(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const rows = await this.#contents.db.getMany(keys.map(itemKey));
    return rows.map((row, i) => {
      if (row === undefined) return undefined;
      const item = readItemRow(row, keys[i]!.length);
      if (item === undefined) this.#damaged('an item row');
      return item;
    });
  }

  /** Reads what is committed of a key at once, blocking the process. Only for what is likely in memory. */
  fetchNow(key: string): Item | undefined {
    const row = this.#contents.db.getSync(itemKey(key));
    if (row === undefined) return undefined;
    const item = readItemRow(row, key.length);
    if (item === undefined) this.#damaged('an item row');
    return item;
  }

  /**
   * Reads a small committed value at once, blocking the process. Undefined when it is large, gone or
   * damaged: `readValue` then has the last word. `onTold` is called when the item's record tells all of it.
   */
  readValueNow(key: string, item: Item, onTold?: () => void): Buffer | undefined {
    const { place } = item;
    if (place === undefined || place.size > READ_NOW_BYTES) return undefined;
    const record = Buffer.allocUnsafe(place.size);
    const value = this.#contents.values.readNow(place, record) ? valueOfRecord(record, key) : undefined;
    if (value !== undefined && onTold !== undefined && isAsInRecord(item, record)) onTold();
    return value;
  }

  /**
   * Reads an item at once from where its record is said to be, blocking the process; undefined when there is no whole record of the
   * key, or a large one. REQUIRES: a record of the key there is its newest, and tells all of it.
   */
  fetchPlacedNow(key: string, place: Place, withValue: boolean): Item | undefined {
    if (place.size > READ_NOW_BYTES) return undefined;
    const record = Buffer.allocUnsafe(place.size);
    return this.#contents.values.readNow(place, record) ? itemAt(place, record, key, withValue) : undefined;
  }

  /** The same beside the event loop. */
  async fetchPlaced(key: string, place: Place, withValue: boolean): Promise<Item | undefined> {
    const record = await this.#contents.values.read(place);
    return record === undefined ? undefined : itemAt(place, record, key, withValue);
  }

  /**
   * Reads a value from the value log, or from what is on its way there, checked; undefined when it is damaged or gone. `onTold` is called
   * before it resolves when the item's record is on disk, and tells all of it.
   */
  async readValue(key: string, item: Item, onTold?: () => void): Promise<Buffer | undefined> {
    if (item.value !== undefined) return item.value;
    if (item.place === undefined) return undefined;
    const waiting = this.#pipeline.staged.records.get(key) ?? this.#pipeline.inFlight?.records.get(key);
    if (waiting !== undefined && waiting.place.segment === item.place.segment && waiting.place.offset === item.place.offset) {
      const [first, ...more] = waiting.rest;
      if (first === undefined) return waiting.bytes.subarray(waiting.start + RECORD_HEAD_BYTES + key.length, waiting.end);
      return more.length === 0 ? first : await joinInSteps(waiting.rest);
    }
    const record = await this.#contents.values.read(item.place);
    const value = record === undefined ? undefined : await checkedValueOf(record, key);
    if (value !== undefined && onTold !== undefined && isAsInRecord(item, record!)) onTold();
    if (value === undefined) this.#damaged(`value segment ${item.place.segment}, offset ${item.place.offset}`);
    return value;
  }

  /** Committed items in key order: those that begin with `prefix`, after the key `after`, `limit` at most. */
  async scan(prefix: string, after: string | undefined, limit: number): Promise<Scan> {
    const cursor = this.cursor(prefix, after);
    try {
      return await cursor.next(limit);
    } finally {
      await cursor.close();
    }
  }

  /** For more of them, in portions: see `ItemCursor`. */
  cursor(prefix: string, after?: string): ItemCursor {
    return new ItemCursor(this.#contents, { prefix, after }, () => this.#damaged('an item row'));
  }

  /** Committed deletes of prefixes that are not over, by number. */
  async jobs(): Promise<Map<number, JobRow>> {
    const jobs = new Map<number, JobRow>();
    for await (const [key, value] of this.#contents.db.iterator({ gte: JOBS_FROM, lt: JOBS_TO, fillCache: false })) {
      const job = decodeJob(value);
      if (job === undefined) this.#damaged('a job row');
      else jobs.set(numberOfJob(key), job);
    }
    return jobs;
  }

  /** The key that eviction has come to; undefined = before the first. */
  async hand(): Promise<string | undefined> {
    const row = await this.#contents.db.get(HAND_KEY);
    return row === undefined || row.length === 0 ? undefined : row.toString('latin1');
  }
}

/** The item in a record that was read from a place; undefined when the record is not whole, or of another key. */
function itemAt(place: Place, record: Buffer, key: string, withValue: boolean): Item | undefined {
  const value = valueOfRecord(record, key);
  return value === undefined ? undefined : itemOfRecord(record, place, withValue ? value : undefined);
}
