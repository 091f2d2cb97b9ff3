import type { Item } from '../item.ts';
import { CountedPrefixes } from './counted-prefixes.ts';
import { dueRowKey, packKeys } from './due-row.ts';
import { readChanges } from './group-changes.ts';
import { itemRowBytes, readItemRow, rowSize, writeItemRow } from './item-row.ts';
import { itemKey, STATE_KEY } from './keys.ts';
import { decodeTail, encodeTail, type LogTail, TAIL_KEY } from './log-tail.ts';
import type { QuotaRow } from './quota-row.ts';
import { countRow, uncountRow } from './row-bytes.ts';
import { type Level, RowBatch } from './row-batch.ts';
import type { SegmentTable } from './segment-table.ts';
import { encodeState, type StoreState } from './state-row.ts';
import { bucketDeadline, sameBucket } from './ttl-bucket.ts';
import type { ValueLog } from './value-log.ts';
import { casOfRecord, changesOfGroupEnd, decodeGroupEnd, type GroupEnd, type GroupNumber, isAsWritten, isUnusedHead, itemOfRecord, recordKeyAt, recordSizeAt } from './value-record.ts';

/** Bytes of a segment read at a time; a record that is larger is read as a whole. */
const CHUNK_BYTES = 2 ** 20;
/** Items whose rows are read, and written, together. */
const BATCH_ITEMS = 1024;

/** What a store counts, as its rows tell it. It is brought up to date. */
export interface ReplayedContents {
  readonly state: StoreState;
  readonly segments: SegmentTable;
  readonly values: ValueLog;
  readonly quotas: Map<string, QuotaRow>;
}

/**
 * Makes the rows of items that were committed by their records alone: those of the groups that lie in the value log behind what the
 * rows tell of it, one group after the other, up to the first that is not whole. So the store is as of one moment, also when power
 * was lost. Can be broken off at any point, and begun again.
 *
 * @param upTo the last group that counts; undefined = the last that is there
 * @param damaged told when it cannot be known what is behind the rows
 */
export async function replayTail(db: Level, contents: ReplayedContents, upTo: GroupNumber | undefined, damaged: (where: string) => void): Promise<void> {
  const { state, values } = contents;
  const row = await db.get(TAIL_KEY);
  if (row === undefined) return;
  const tail = decodeTail(row);
  if (tail === undefined) damaged('the row that tells where the value log goes on');
  // A version that does not know the row wrote more, and all of its records that count have rows.
  if (tail?.batch !== state.batch) return;
  const { cas, nextSegment } = state;
  const behind = new Map<number, number>();
  for (const id of values.ids().toSorted((a, b) => a - b)) {
    const from = tail.offsets.get(id) ?? (id >= nextSegment ? values.firstRecord : undefined);
    if (from !== undefined) behind.set(id, from);
  }
  // Read twice, since the records of a group may be in several segments: as a rule it is a MiB or two.
  const groups = await committedGroups(values, behind, { batch: tail.behind, cas }, upTo);
  const replay = new Replay(db, contents, tail, groups.at(-1)?.cas ?? cas);
  const changes = newestChanges(groups);
  for (const [id, from] of groups.length > 0 ? behind : []) {
    for await (const { record, offset } of recordsBehind(values, id, from)) {
      if (decodeGroupEnd(record) !== undefined) continue;
      const item = itemOfRecord(record, { segment: id, offset, size: record.length });
      if (item.cas <= cas || item.cas > groups.at(-1)!.cas) continue;
      const key = recordKeyAt(record, 0);
      const change = changes.get(key);
      // Of the same group it is the newer one.
      if (change !== undefined && item.cas <= groups[change.group]!.cas) continue;
      changes.delete(key);
      await replay.take(key, item);
    }
  }
  for (const [key, { group, row }] of changes) {
    if (row.length === 0) await replay.remove(key, groups[group]!.cas);
    else await replay.change(key, row, damaged);
  }
  await replay.finish();
}

/** A group that is committed, in the order in which they are. */
interface CommittedGroup {
  /** The highest cas unique that was given out when it was closed. */
  readonly cas: number;
  /** What its records do not tell. */
  readonly changes: Buffer;
}

/** The groups behind a batch, up to the first before which, or of which, something is missing. */
async function committedGroups(values: ValueLog, behind: ReadonlyMap<number, number>, after: { batch: number; cas: number }, upTo: GroupNumber | undefined): Promise<CommittedGroup[]> {
  const ends = new Map<string, GroupEnd & CommittedGroup>();
  // One that is moved has two records.
  const found = new Set<number>();
  for (const [id, from] of behind) {
    for await (const { record } of recordsBehind(values, id, from)) {
      const end = decodeGroupEnd(record);
      if (end !== undefined) ends.set(`${end.batch} ${end.number}`, { ...end, changes: Buffer.from(changesOfGroupEnd(record)) });
      else found.add(casOfRecord(record));
    }
  }
  const uniques = [...found].toSorted((a, b) => a - b);
  const groups: CommittedGroup[] = [];
  let { batch } = after;
  let at = uniques.findIndex((unique) => unique > after.cas);
  for (let number = 1; ; number++) {
    const end = ends.get(`${batch % 0x100000000} ${number}`);
    if (end === undefined || (upTo !== undefined && (batch > upTo.batch || (batch === upTo.batch && number > upTo.number)))) return groups;
    const first = at;
    while (at >= 0 && at < uniques.length && uniques[at]! <= end.cas) at++;
    if (at - first !== end.items) return groups;
    groups.push(end);
    if (!end.endsBatch) continue;
    // The batch behind it, if there was one, has nothing that is not here.
    batch++;
    number = 0;
  }
}

/** The newest change of each key, and which of the groups it is in. */
function newestChanges(groups: readonly CommittedGroup[]): Map<string, { readonly group: number; readonly row: Buffer }> {
  const newest = new Map<string, { group: number; row: Buffer }>();
  for (const [group, { changes }] of groups.entries()) {
    for (const { key, row } of readChanges(changes)) newest.set(key, { group, row });
  }
  return newest;
}

interface FoundRecord {
  /** Good until the next is asked for. */
  readonly record: Buffer;
  readonly offset: number;
}

/** The records of a segment from an offset on, up to the first that is not whole. */
async function* recordsBehind(values: ValueLog, segment: number, from: number): AsyncGenerator<FoundRecord, void, undefined> {
  const into = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const end = values.size(segment);
  for (let at = from; at < end; ) {
    let chunk = await values.scan(segment, at, into);
    const first = recordSizeAt(chunk, 0);
    if (first > end - at) {
      // The file may end behind the head of a place that was not needed.
      return;
    }
    if (first > chunk.length && !isUnusedHead(chunk, 0)) chunk = await values.scan(segment, at, Buffer.allocUnsafeSlow(first));
    let used = 0;
    for (let size = first; size > 0; size = recordSizeAt(chunk, used)) {
      if (isUnusedHead(chunk, used)) {
        used += size;
        continue;
      }
      if (used + size > chunk.length) break;
      const record = chunk.subarray(used, used + size);
      if (!isAsWritten(record)) return;
      yield { record, offset: at + used };
      used += size;
    }
    if (used === 0) return;
    at += used;
  }
}

/** What becomes of a key. */
interface Found {
  /** Null = it is deleted. */
  readonly item: Item | null;
  /** The row of an item that is told by a change: one of the same cas unique is older. */
  readonly row?: Buffer;
  /** The cas unique up to which a row is older. */
  readonly cas: number;
}

class Replay {
  readonly #db: Level;
  readonly #contents: ReplayedContents;
  readonly #tail: LogTail;
  readonly #counted: CountedPrefixes;
  /** Newest found of each key. */
  #found = new Map<string, Found>();
  readonly #cas: number;
  #hasRows = false;

  /** `cas` = of the last group. */
  constructor(db: Level, contents: ReplayedContents, tail: LogTail, cas: number) {
    this.#db = db;
    this.#contents = contents;
    this.#tail = tail;
    this.#cas = cas;
    this.#counted = new CountedPrefixes(contents.quotas.keys());
    this.#counted.load(contents.quotas);
  }

  /** Takes an item of which its record tells all. */
  async take(key: string, item: Item): Promise<void> {
    const before = this.#found.get(key);
    if (before === undefined || before.cas < item.cas - 1) await this.#add(key, { item, cas: item.cas - 1 });
  }

  /** Takes the row of an item that is newer than all that was taken of its key. */
  async change(key: string, row: Buffer, damaged: (where: string) => void): Promise<void> {
    const item = readItemRow(row, key.length);
    if (item === undefined) damaged('the change of an item');
    else await this.#add(key, { item, row, cas: item.cas });
  }

  /** The same of a key that is deleted. `cas` = the highest that was given out before. */
  remove(key: string, cas: number): Promise<void> {
    return this.#add(key, { item: null, cas });
  }

  async #add(key: string, found: Found): Promise<void> {
    this.#found.set(key, found);
    if (this.#found.size >= BATCH_ITEMS) await this.#write();
  }

  /** Writes what is left. What was found is not looked for again. */
  async finish(): Promise<void> {
    await this.#write();
    if (!this.#hasRows) return;
    const { state, values, quotas } = this.#contents;
    state.cas = this.#cas;
    state.nextSegment = values.next;
    const batch = new RowBatch(this.#db);
    // Nothing is behind the rows any more: changes that were made must not be made again.
    this.#putCounters(batch, new Map(), { behind: state.batch + 1, offsets: new Map() });
    await batch.write(false);
    for (const { prefix, isCounted, items, bytes, hand, handCas } of this.#counted.all) {
      if (isCounted) quotas.set(prefix, { items, bytes, hand, handCas });
    }
  }

  async #write(): Promise<void> {
    const found = [...this.#found];
    if (found.length === 0) return;
    this.#found = new Map();
    const batch = new RowBatch(this.#db);
    const hints = new Map<number, string[]>();
    const rows = await this.#db.getMany(found.map(([key]) => itemKey(key)));
    for (const [i, [key, { item, row, cas }]] of found.entries()) {
      const before = rows[i];
      // One that is damaged is replaced, like any that is older; what it counted is not known.
      const old = before === undefined ? undefined : readItemRow(before, key.length);
      if (old !== undefined && old.cas > cas) continue;
      if (item === null) {
        if (before === undefined) continue;
        batch.del(itemKey(key));
      } else {
        batch.put(itemKey(key), row ?? rowOf(item));
      }
      this.#count(key, old, item, hints);
      this.#hasRows = true;
    }
    if (batch.bytes === 0) return;
    this.#putCounters(batch, hints, this.#tail);
    await batch.write(false);
  }

  #count(key: string, old: Item | undefined, item: Item | null, hints: Map<number, string[]>): void {
    const { state, segments } = this.#contents;
    if (old !== undefined) {
      uncountRow(state, itemRowBytes(key, old));
      state.items--;
      state.bytes -= key.length + old.length;
      if (old.place !== undefined) segments.drop(old.place.segment, old.place.size);
    }
    if (item === null) {
      if (old !== undefined) this.#counted.change(key, -1, -(key.length + old.length));
      return;
    }
    countRow(state, itemRowBytes(key, item));
    state.items++;
    // A touch stores nothing.
    if (old?.cas !== item.cas) state.totalItems++;
    state.bytes += key.length + item.length;
    if (item.place !== undefined) segments.add(item.place.segment, item.place.size, item.expiresAt);
    this.#counted.change(key, old === undefined ? 1 : 0, old === undefined ? key.length + item.length : item.length - old.length);
    if (item.expiresAt === 0 || sameBucket(old, item)) return;
    const deadline = bucketDeadline(item.expiresAt, item.ttlShift);
    const bucket = deadline * 32 + item.ttlShift;
    const keys = hints.get(bucket);
    if (keys === undefined) hints.set(bucket, [key]);
    else keys.push(key);
    state.indexEntries++;
    state.indexFloor = Math.min(state.indexFloor, deadline);
  }

  /** Puts all counters into a batch. Until the last the tail stays what it was: what is behind it is not all there yet. */
  #putCounters(batch: RowBatch, hints: ReadonlyMap<number, string[]>, { behind, offsets }: Pick<LogTail, 'behind' | 'offsets'>): void {
    const { state, segments } = this.#contents;
    state.batch++;
    for (const [bucket, keys] of hints) {
      batch.put(dueRowKey({ deadline: Math.floor(bucket / 32), shift: bucket % 32, number: state.batch }), packKeys(keys));
    }
    for (const { key, value } of segments.takeDirtyRows()) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    for (const { key, value } of this.#counted.takeDirtyRows()) batch.put(key, value);
    batch.put(TAIL_KEY, encodeTail({ batch: state.batch, behind, offsets }));
    batch.put(STATE_KEY, encodeState(state));
  }
}

function rowOf(item: Item): Buffer {
  const row = Buffer.allocUnsafe(rowSize(item));
  writeItemRow(row, 0, item);
  return row;
}
