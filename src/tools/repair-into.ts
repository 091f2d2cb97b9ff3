import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { messageOf, TugelaError } from '../errors.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { openLevel } from '../store/open-level.ts';
import { groupsOf, isLive } from './dump-items.ts';
import type { Findings } from './findings.ts';
import { assertEmpty } from './load-store.ts';
import type { Progress } from './progress.ts';
import { salvageSegment } from './segment-salvage.ts';
import { StoreReader } from './store-reader.ts';
import { type NewItem, StoreWriter } from './store-writer.ts';

const BLOCK_CACHE_BYTES = 16 * 2 ** 20;
/** Records compared with what is there at once. */
const RECORDS = 1000;
const RECORD_BYTES = 4 * 2 ** 20;

export interface SalvageOptions {
  readonly now: number;
  /** What is lost. */
  readonly lost: Findings;
  /** Also take the newest undamaged record of each key from the segments, where it is newer than the item found or there is none. */
  readonly fromValues: boolean;
  readonly progress?: Progress;
}

export interface SalvageReport {
  items: number;
  bytes: number;
  /** Of the items: those that only a segment had. */
  from_values: number;
  lost: number;
  /** LevelDB could not be read as it was: it was repaired in a copy, or a part is missing. */
  level_repaired: boolean;
}

/** Copies what can be read of a damaged store into a new one. The damaged one stays as it is. */
export async function repairInto(source: string, target: string, options: SalvageOptions): Promise<SalvageReport> {
  if (`${resolve(target)}/`.startsWith(`${resolve(source)}/`)) throw new TugelaError('TUGELA_USAGE', `${target} lies in the damaged store; name another directory`);
  await assertEmpty(target, 'remove what is there');
  const first = await open(source);
  const writer = await StoreWriter.open(target, options.now, false);
  const salvage = new Salvage(writer, options);
  let isWhole = false;
  try {
    isWhole = first !== undefined && (await salvage.takeAndClose(first));
    if (!isWhole) await withRepairedCopy(source, target, async (reader) => void (await salvage.takeAndClose(reader)));
  } finally {
    options.progress?.end();
    await writer.finish();
  }
  const { items, bytes } = writer.store.state;
  return { items, bytes, from_values: salvage.fromValues, lost: options.lost.total, level_repaired: !isWhole };
}

/** Undefined when LevelDB does not open. */
async function open(source: string): Promise<StoreReader | undefined> {
  try {
    return await StoreReader.open(source);
  } catch (error) {
    if (error instanceof TugelaError && (error.code === 'TUGELA_STORE_CORRUPT' || error.code === 'TUGELA_STORE_FAILED')) {
      // A directory that cannot be read at all is no damaged store.
      await readdir(source);
      return undefined;
    }
    throw error;
  }
}

/** Lets LevelDB repair a copy of its files, which is removed afterwards. */
async function withRepairedCopy(source: string, target: string, work: (reader: StoreReader) => Promise<void>): Promise<void> {
  const copy = await mkdtemp(join(dirname(resolve(target)), '.tugela-repair-'));
  try {
    for (const { name } of (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isFile() && entry.name !== 'LOCK')) {
      await copyFile(join(source, name), join(copy, name));
    }
    await ClassicLevel.repair(copy);
    await work(await StoreReader.over(source, await openLevel(copy, { blockCacheBytes: BLOCK_CACHE_BYTES }, false)));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

class Salvage {
  readonly #writer: StoreWriter;
  readonly #options: SalvageOptions;
  fromValues = 0;

  constructor(writer: StoreWriter, options: SalvageOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Takes what there is; false when LevelDB could not be read to its end. */
  async takeAndClose(reader: StoreReader): Promise<boolean> {
    try {
      const isWhole = await this.#takeItems(reader);
      if (isWhole && this.#options.fromValues) await this.#takeRecords(reader);
      return isWhole;
    } finally {
      await reader.close();
    }
  }

  async #takeItems(reader: StoreReader): Promise<boolean> {
    const { now, lost, progress } = this.#options;
    const flushCas = reader.flushedUpTo(now);
    try {
      for await (const page of reader.pages('')) {
        for (const group of groupsOf(page.filter(({ item }) => item === undefined || isLive(item, now, flushCas)))) {
          const values = await Promise.all(group.map(async ({ key, item }) => (item === undefined ? undefined : reader.readValue(key, item))));
          for (const [i, { key, item }] of group.entries()) {
            const value = values[i];
            if (item === undefined || value === undefined) {
              lost.add(`item ${encodeUriText(key)}: its ${item === undefined ? 'row' : `value in segment ${item.place?.segment}, offset ${item.place?.offset},`} is damaged`);
            } else {
              await this.#writer.put({ ...item, key, value });
            }
          }
          await reader.files.trim();
        }
        progress?.show(this.#writer.written, this.#writer.bytes);
      }
      return true;
    } catch (error) {
      if (error instanceof TugelaError) throw error;
      lost.add(`LevelDB cannot be read to its end: ${messageOf(error)}`);
      return false;
    }
  }

  async #takeRecords(reader: StoreReader): Promise<void> {
    const { now } = this.#options;
    const flushCas = reader.flushedUpTo(now);
    let group = new Map<string, NewItem>();
    let bytes = 0;
    for (const id of reader.files.sizes.keys()) {
      for await (const item of salvageSegment(reader.files, id)) {
        if (item.cas <= flushCas || (item.expiresAt !== 0 && item.expiresAt <= now)) continue;
        if ((group.get(item.key)?.cas ?? -1) >= item.cas) continue;
        group.set(item.key, item);
        bytes += item.value.length;
        if (group.size < RECORDS && bytes < RECORD_BYTES) continue;
        await this.#putNewer(group);
        group = new Map();
        bytes = 0;
      }
      await reader.files.trim();
    }
    await this.#putNewer(group);
  }

  /** Puts those records that are newer than what is known of their keys. */
  async #putNewer(group: ReadonlyMap<string, NewItem>): Promise<void> {
    const known = await this.#writer.casUniquesOf([...group.keys()]);
    for (const [i, item] of [...group.values()].entries()) {
      if ((known[i] ?? -1) >= item.cas) continue;
      await this.#writer.put(item);
      this.fromValues++;
    }
    this.#options.progress?.show(this.#writer.written, this.#writer.bytes);
  }
}
