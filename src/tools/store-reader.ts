import { TugelaError } from '../errors.ts';
import type { Item } from '../item.ts';
import { prepareDirectory } from '../store/directory.ts';
import { itemPages, type RowItem } from '../store/item-pages.ts';
import { SEGMENT, STATE_KEY } from '../store/keys.ts';
import { inspectLevel } from '../store/level-check.ts';
import { prepareLevel } from '../store/level-mend.ts';
import { replayStopped } from '../store/load-contents.ts';
import { repairAdvice } from '../store/open-advice.ts';
import type { Level } from '../store/row-batch.ts';
import { SegmentTable } from '../store/segment-table.ts';
import { decodeState, emptyState, type StoreState } from '../store/state-row.ts';
import { openLevel } from '../store/open-level.ts';
import { SegmentFiles } from './segment-files.ts';

const BLOCK_CACHE_BYTES = 16 * 2 ** 20;

/**
 * A stopped server's store, opened to be read. Nothing of ours is written, but what a crash left in the value log without
 * rows gets them. LevelDB itself does at every open what it does at a server's start: it takes its lock and moves its logs into tables.
 */
export class StoreReader {
  readonly directory: string;
  readonly db: Level;
  readonly files: SegmentFiles;
  readonly segments: SegmentTable;
  readonly state: StoreState;
  /** False when there is no state row that can be read. */
  readonly hasState: boolean;

  private constructor(directory: string, db: Level, files: SegmentFiles, segments: SegmentTable, state: StoreState | undefined) {
    this.directory = directory;
    this.db = db;
    this.files = files;
    this.segments = segments;
    this.state = state ?? emptyState();
    this.hasState = state !== undefined;
  }

  /**
   * Opens the store in a directory.
   *
   * @throws TugelaError TUGELA_STORE_LOCKED when a server holds it, TUGELA_STORE_FOREIGN, TUGELA_STORE_FORMAT,
   * TUGELA_STORE_CORRUPT, TUGELA_STORE_FAILED
   */
  static async open(directory: string): Promise<StoreReader> {
    return await StoreReader.over(directory, await openStoppedLevel(directory));
  }

  /** Reads the segments of a directory with a LevelDB that is open already, and is closed with the reader. */
  static async over(directory: string, db: Level): Promise<StoreReader> {
    try {
      await replayStopped(directory, db);
      const files = await SegmentFiles.open(directory);
      const row = await db.get(STATE_KEY);
      const segments = new SegmentTable();
      for await (const [key, value] of db.iterator({ gte: Buffer.from([SEGMENT]), lt: Buffer.from([SEGMENT + 1]) })) {
        segments.load(key, value);
      }
      return new StoreReader(directory, db, files, segments, row === undefined ? undefined : decodeState(row));
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /** Items with a cas unique up to this are flushed for who starts a server now. */
  flushedUpTo(now: number): number {
    const { flushAt, flushCas, cas } = this.state;
    return flushAt !== 0 && flushAt <= now ? cas : flushCas;
  }

  pages(prefix: string): AsyncGenerator<readonly RowItem[], void, undefined> {
    return itemPages(this.db, prefix);
  }

  async readValue(key: string, item: Item): Promise<Buffer | undefined> {
    const value = await this.files.value(key, item);
    return typeof value === 'string' ? undefined : value;
  }

  /** Bounds how many files are open. */
  afterReads(): Promise<void> {
    return this.files.trim();
  }

  async close(): Promise<void> {
    await this.files.close();
    await this.db.close();
  }
}

/**
 * Opens the LevelDB of a store that is there already and that no server holds.
 *
 * @throws TugelaError as StoreReader.open
 */
export async function openStoppedLevel(directory: string): Promise<Level> {
  await prepareDirectory(directory, true);
  try {
    await prepareLevel(directory);
    await assertLevel(directory);
    return await openLevel(directory, { blockCacheBytes: BLOCK_CACHE_BYTES }, false);
  } catch (error) {
    throw withAdvice(error);
  }
}

/** What to do about an error in opening a store. */
export function withAdvice(error: unknown): unknown {
  if (!(error instanceof TugelaError)) return error;
  const advice = adviceOn(error);
  return advice === undefined ? error : new TugelaError(error.code, `${error.message}; ${advice}`, { cause: error });
}

function adviceOn({ code }: TugelaError): string | undefined {
  return code === 'TUGELA_STORE_LOCKED' ? 'stop the server first, or ask it with --host and --port or --socket where the command has these' : undefined;
}

/** A directory that only ever held the mark of a store is no store to look into. */
async function assertLevel(directory: string): Promise<void> {
  if ((await inspectLevel(directory)).kind !== 'new') return;
  throw new TugelaError('TUGELA_STORE_CORRUPT', `Cannot open store at ${directory}: LevelDB's file CURRENT is not there${repairAdvice(directory)}`);
}
