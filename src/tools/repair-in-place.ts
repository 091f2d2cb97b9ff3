import { ClassicLevel } from 'classic-level';
import { TugelaError } from '../errors.ts';
import type { Item } from '../item.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { prepareDirectory } from '../store/directory.ts';
import { dueRowKey, packKeys, readDueRowKey } from '../store/due-row.ts';
import { itemRowBytes } from '../store/item-row.ts';
import { itemPages } from '../store/item-pages.ts';
import { inspectLevel } from '../store/level-check.ts';
import { DUE, ITEM, itemKey, META, SEGMENT, STATE_KEY } from '../store/keys.ts';
import { type Level, RowBatch } from '../store/row-batch.ts';
import { SegmentTable } from '../store/segment-table.ts';
import { encodeState, type StoreState } from '../store/state-row.ts';
import { openLevel } from '../store/open-level.ts';
import { bucketDeadline } from '../store/ttl-bucket.ts';
import { groupsOf } from './dump-items.ts';
import type { Findings } from './findings.ts';
import type { Progress } from './progress.ts';
import { StoreReader, withAdvice } from './store-reader.ts';

const BLOCK_CACHE_BYTES = 16 * 2 ** 20;
/** Keys listed in memory before their index rows are written. */
const CHUNK_KEYS = 20_000;
/** Keys of an index row at most: a sweep takes a row at a time. */
const ROW_KEYS = 1000;

export interface RebuildReport {
  readonly items: number;
  readonly bytes: number;
  readonly index_entries: number;
  readonly lost: number;
  readonly level_repaired: boolean;
}

/**
 * Makes a store agree with itself again where it is: LevelDB repairs itself if it has to, items that cannot be read
 * are deleted, and the index, the segment pages and the counters are made anew from the items; the server does that
 * with the counts of prefixes with quotas, at its next start. Can be repeated after a break in the middle.
 */
export async function repairInPlace(directory: string, lost: Findings, progress?: Progress): Promise<RebuildReport> {
  await prepareDirectory(directory, true);
  const { db, isRepaired } = await openRepaired(directory, lost);
  const reader = await StoreReader.over(directory, db);
  try {
    const rebuilt = await new Rebuild(reader, lost, progress).run();
    return { ...rebuilt, lost: lost.total, level_repaired: isRepaired };
  } finally {
    progress?.end();
    await reader.close();
  }
}

async function openRepaired(directory: string, lost: Findings): Promise<{ db: Level; isRepaired: boolean }> {
  const open = (): Promise<Level> => openLevel(directory, { blockCacheBytes: BLOCK_CACHE_BYTES }, false);
  // LevelDB passes over damaged writes without a word, and removes the log.
  const state = await inspectLevel(directory);
  if (state.kind === 'damaged') lost.add(`${state.problem}; what cannot be read of it is gone`);
  try {
    const db = await open();
    if (await isReadable(db)) return { db, isRepaired: false };
    lost.add('LevelDB could not be read to its end; what its repair could not save is gone');
    await db.close();
  } catch (error) {
    if (!(error instanceof TugelaError) || error.code === 'TUGELA_STORE_LOCKED') throw withAdvice(error);
    lost.add(`${error.message}; what LevelDB's repair could not save is gone`);
  }
  await ClassicLevel.repair(directory);
  return { db: await open(), isRepaired: true };
}

async function isReadable(db: Level): Promise<boolean> {
  const iterator = db.iterator({ fillCache: false });
  try {
    while ((await iterator.nextv(1000)).length > 0) continue;
    return true;
  } catch {
    // What exactly is wrong is LevelDB's to know, and to repair.
    return false;
  } finally {
    await iterator.close();
  }
}

class Rebuild {
  readonly #reader: StoreReader;
  readonly #lost: Findings;
  readonly #progress: Progress | undefined;
  readonly #segments = new SegmentTable();
  readonly #state: StoreState;
  /** Keys to list, by deadline * 32 + shift. */
  #hints = new Map<number, string[]>();
  #hinted = 0;

  constructor(reader: StoreReader, lost: Findings, progress: Progress | undefined) {
    this.#reader = reader;
    this.#lost = lost;
    this.#progress = progress;
    this.#state = { ...reader.state, items: 0, bytes: 0, rowBytes: 0, indexEntries: 0, indexFloor: 0, keepsQuotas: 0 };
  }

  async run(): Promise<Omit<RebuildReport, 'lost' | 'level_repaired'>> {
    const state = this.#state;
    const { db } = this.#reader;
    // Rows of the new index are told from those of the old one by their number.
    const firstNumber = Math.max(state.batch, await highestNumber(db)) + 1;
    state.batch = firstNumber;
    if (!this.#reader.hasState) this.#lost.add('the state row: what was flushed and not yet deleted may be back');
    await this.#readItems();
    await this.#writeHints();
    await this.#dropRows(DUE, (key) => (readDueRowKey(key)?.number ?? 0) < firstNumber);
    await this.#dropRows(SEGMENT, () => true);
    await this.#writeCounters();
    return { items: state.items, bytes: state.bytes, index_entries: state.indexEntries };
  }

  async #readItems(): Promise<void> {
    const { db, files } = this.#reader;
    for await (const page of itemPages(db, '')) {
      const batch = new RowBatch(db);
      for (const group of groupsOf(page)) {
        const values = await Promise.all(group.map(async ({ key, item }) => (item === undefined ? 'damaged' : files.value(key, item))));
        for (const [i, { key, item }] of group.entries()) {
          if (item !== undefined && typeof values[i] !== 'string') {
            this.#count(key, item);
            continue;
          }
          const what = item === undefined ? 'row' : `value in segment ${item.place?.segment}, offset ${item.place?.offset},`;
          this.#lost.add(`item ${encodeUriText(key)}: its ${what} is damaged`);
          batch.del(itemKey(key));
        }
        await files.trim();
      }
      if (batch.bytes > 0) await batch.write(false);
      if (this.#hinted >= CHUNK_KEYS) await this.#writeHints();
      this.#progress?.show(this.#state.items, this.#state.bytes);
    }
  }

  #count(key: string, item: Item): void {
    const state = this.#state;
    state.items++;
    state.bytes += key.length + item.length;
    state.rowBytes += itemRowBytes(key, item);
    state.cas = Math.max(state.cas, item.cas);
    if (item.place !== undefined) {
      this.#segments.add(item.place.segment, item.place.size, item.expiresAt);
      state.nextSegment = Math.max(state.nextSegment, item.place.segment + 1);
    }
    if (item.expiresAt === 0) return;
    const bucket = bucketDeadline(item.expiresAt, item.ttlShift) * 32 + item.ttlShift;
    const keys = this.#hints.get(bucket);
    if (keys === undefined) this.#hints.set(bucket, [key]);
    else keys.push(key);
    this.#hinted++;
  }

  async #writeHints(): Promise<void> {
    const batch = new RowBatch(this.#reader.db);
    for (const [bucket, keys] of this.#hints) {
      for (let i = 0; i < keys.length; i += ROW_KEYS) {
        const row = { deadline: Math.floor(bucket / 32), shift: bucket % 32, number: this.#state.batch++ };
        batch.put(dueRowKey(row), packKeys(keys.slice(i, i + ROW_KEYS)));
      }
    }
    this.#state.indexEntries += this.#hinted;
    this.#hints = new Map();
    this.#hinted = 0;
    await batch.write(false);
  }

  async #dropRows(kind: number, isOld: (key: Buffer) => boolean): Promise<void> {
    const { db } = this.#reader;
    const iterator = db.keys({ gte: Buffer.from([kind]), lt: Buffer.from([kind + 1]), fillCache: false });
    try {
      for (let keys = await iterator.nextv(1000); keys.length > 0; keys = await iterator.nextv(1000)) {
        const batch = new RowBatch(db);
        for (const key of keys) if (isOld(key)) batch.del(key);
        await batch.write(false);
      }
    } finally {
      await iterator.close();
    }
  }

  async #writeCounters(): Promise<void> {
    const { db, files } = this.#reader;
    const state = this.#state;
    for (const id of files.sizes.keys()) state.nextSegment = Math.max(state.nextSegment, id + 1);
    const batch = new RowBatch(db);
    for (const { key, value } of this.#segments.takeDirtyRows()) if (value !== undefined) batch.put(key, value);
    batch.put(STATE_KEY, encodeState(state));
    for await (const key of db.keys({ fillCache: false })) if (!isKnown(key)) batch.del(key);
    await batch.write(true);
  }
}

function isKnown(key: Buffer): boolean {
  return key[0] === META || key[0] === SEGMENT || key[0] === DUE || key[0] === ITEM;
}

async function highestNumber(db: Level): Promise<number> {
  let highest = 0;
  for await (const key of db.keys({ gte: Buffer.from([DUE]), lt: Buffer.from([DUE + 1]), fillCache: false })) {
    highest = Math.max(highest, readDueRowKey(key)?.number ?? 0);
  }
  return highest;
}
