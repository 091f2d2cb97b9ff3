import type { Item } from '../item.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { Contents } from './contents.ts';
import { countKeys, dueFrom, packKeys, readDueRowKey, unpackKeys } from './due-row.ts';
import { DUE } from './keys.ts';
import { ListedKeys } from './listed-keys.ts';
import { bucketDeadline, sameBucket } from './ttl-bucket.ts';

/** Bytes of listed index rows that are remembered for who drops them next. */
const REMEMBERED_BYTES = 2 ** 20;

/** An index row whose bucket is over. */
export interface DueRowInfo {
  /** Names the row: its key without the first byte, in hexadecimal. */
  readonly id: string;
  readonly deadline: number;
  readonly entries: number;
}

/**
 * Lists keys by when their items expire: each batch writes a row for each bucket that its items came to. Entries are
 * hints, of which many may be stale: who sweeps looks at the items. An item that can expire is always listed, though.
 */
export class TtlIndex {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  /** Earliest deadlines of the index rows that listings under way cannot see, because they were not committed when it began. */
  readonly #listings = new Set<{ earliest: number }>();
  readonly #listed = new ListedKeys();
  /** Values of the rows that were listed last, by id: whoever lists rows is about to sweep them, and need not read them again. */
  #remembered = new Map<string, Buffer>();
  /** How many rows were dropped since the start. */
  #drops = 0;

  constructor(contents: Contents, pipeline: CommitPipeline) {
    this.#contents = contents;
    this.#pipeline = pipeline;
  }

  /** Stages that a key is listed where the item belongs that it has from now on. `old` is what it had. */
  move(key: string, old: Item | undefined, item: Item): void {
    if (sameBucket(old, item)) return;
    if (old !== undefined) this.leave(key, old);
    if (item.expiresAt !== 0) this.#add(key, item);
  }

  /** A key does not have this item any more, and stays listed where that belonged. */
  leave(key: string, { expiresAt, ttlShift }: Item): void {
    if (expiresAt !== 0) this.#listed.leave(bucketDeadline(expiresAt, ttlShift), ttlShift, key);
  }

  /** What was staged may not have been written. */
  clear(): void {
    this.#listed.clear();
    this.#remembered = new Map();
  }

  /** Index rows with a deadline up to `now`, earliest first, of `limit` entries together or one row; after the row `after`. */
  async dueRows(now: number, limit: number, after?: string): Promise<{ rows: DueRowInfo[]; next: string | undefined }> {
    const rows: DueRowInfo[] = [];
    let entries = 0;
    let next: string | undefined;
    const from = after === undefined ? { gte: dueFrom(this.#contents.state.indexFloor) } : { gt: dueKeyOf(after) };
    const staged = this.#beginListing();
    const committedDrops = this.#committedDrops;
    const values = new Map<string, Buffer>();
    let bytes = 0;
    const iterator = this.#contents.db.iterator({ ...from, lt: dueFrom(now + 1), fillCache: false });
    try {
      for await (const [key, value] of iterator) {
        const row = readDueRowKey(key);
        if (row === undefined) continue;
        if (rows.length > 0 && (entries + countKeys(value) > limit)) {
          next = rows.at(-1)!.id;
          break;
        }
        const id = key.toString('hex', 1);
        rows.push({ id, deadline: row.deadline, entries: countKeys(value) });
        entries += rows.at(-1)!.entries;
        bytes += value.length;
        if (bytes <= REMEMBERED_BYTES) values.set(id, value);
      }
    } finally {
      await iterator.close();
      this.#listings.delete(staged);
    }
    // Of a row that is dropped meanwhile this may have seen what was there before.
    this.#remembered = committedDrops === this.#drops ? values : new Map();
    if (after === undefined) this.#raiseFloor(Math.min(rows[0]?.deadline ?? now + 1, staged.earliest));
    return { rows, next };
  }

  /** Keys listed in an index row; empty when the row is gone. */
  async dueKeys(id: string): Promise<string[]> {
    const value = await this.#contents.db.get(dueKeyOf(id));
    return value === undefined ? [] : unpackKeys(value);
  }

  /** Keys listed in each of some index rows that are to be dropped; none where the row is gone. */
  async dueKeysOf(ids: readonly string[]): Promise<string[][]> {
    for (const id of ids) this.#listed.sweep(Number.parseInt(id.slice(0, 8), 16));
    const found = ids.map((id) => this.#remembered.get(id));
    const others = ids.filter((_, i) => found[i] === undefined);
    const read = others.length === 0 ? [] : await this.#contents.db.getMany(others.map(dueKeyOf));
    let at = 0;
    return found.map((value) => {
      const row = value ?? read[at++];
      return row === undefined ? [] : unpackKeys(row);
    });
  }

  /** Stages the end of an index row that listed `count` keys, of which `left` must stay listed. */
  drop(id: string, count: number, left: readonly string[]): void {
    this.#remembered.delete(id);
    this.#drops++;
    this.#pipeline.staged.dueRows.push({ key: dueKeyOf(id), value: left.length === 0 ? undefined : packKeys(left) });
    this.#contents.state.indexEntries = Math.max(0, this.#contents.state.indexEntries - count + left.length);
    this.#pipeline.changed();
  }

  /** Deadline of the first index row; 0 when there is none. */
  async oldestDeadline(): Promise<number> {
    const staged = this.#beginListing();
    let oldest = 0;
    try {
      for await (const key of this.#contents.db.keys({ gte: dueFrom(this.#contents.state.indexFloor), lt: Buffer.from([DUE + 1]), limit: 1 })) {
        oldest = readDueRowKey(key)?.deadline ?? 0;
      }
    } finally {
      this.#listings.delete(staged);
    }
    // A sweep that goes on where the last one ended never lists from the floor: without this the next look would pass over the
    // remains of all rows dropped since.
    this.#raiseFloor(Math.min(oldest, staged.earliest));
    return oldest;
  }

  /** How many drops are committed; -1 = not all. */
  get #committedDrops(): number {
    return this.#pipeline.staged.dueRows.length > 0 || (this.#pipeline.inFlight?.dueRows.length ?? 0) > 0 ? -1 : this.#drops;
  }

  /** What is not committed when an index listing begins; it must be taken from `#listings` when that ends. */
  #beginListing(): { earliest: number } {
    const staged = { earliest: this.#pipeline.earliestHint() };
    this.#listings.add(staged);
    return staged;
  }

  /** Stages an entry for an item, unless its key is still listed in the item's bucket. */
  #add(key: string, item: Item): void {
    const deadline = bucketDeadline(item.expiresAt, item.ttlShift);
    if (this.#listed.takeBack(deadline, item.ttlShift, key)) return;
    this.#pipeline.staged.hint(deadline, item.ttlShift, key);
    this.#contents.state.indexEntries++;
    if (deadline < this.#contents.state.indexFloor) this.#contents.state.indexFloor = deadline;
    for (const listing of this.#listings) listing.earliest = Math.min(listing.earliest, deadline);
  }

  #raiseFloor(floor: number): void {
    if (floor > this.#contents.state.indexFloor) this.#contents.state.indexFloor = floor;
  }
}

function dueKeyOf(id: string): Buffer {
  return Buffer.concat([Buffer.from([DUE]), Buffer.from(id, 'hex')]);
}
