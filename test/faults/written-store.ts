import { Store } from '../../src/store/store.ts';
import { type DiskImage, readImage } from './disk-image.ts';
import { noteForcedSizes, withForced } from './forced-sizes.ts';
import type { Moment } from './moment.ts';
import type { Random } from './random.ts';
import { type KeyState, StoreWriter, type WriteKind } from './store-writer.ts';

/** Small, so that some are full, rewritten and removed while a few values are stored. */
const SEGMENT_BYTES = 8 * 1024;

export interface WriteSpec {
  /** Every write is forced to disk before it counts. */
  readonly syncsEach: boolean;
  /** Writes before all is forced to disk, and after it. With `syncsEach` the last of these is the one not acknowledged yet. */
  readonly before: number;
  readonly after: number;
  /** What the last write is; undefined = anything. */
  readonly last?: WriteKind;
  /** LevelDB's write buffer; small ones make it change logs. */
  readonly writeBufferBytes: number | undefined;
}

/** A store as it is written when power is lost, and all that is known of it. */
export interface WrittenStore {
  /** Records are on disk before the batch that points to them is written. */
  readonly syncsEach: boolean;
  /** All that was given to the operating system. */
  readonly written: DiskImage;
  /** What of it was forced to disk: the beginning of each file. */
  readonly synced: DiskImage;
  /** Files that were removed since they were forced to disk, or right before: their names may be back. */
  readonly removed: DiskImage;
  /** For each key all it ever held, in order. */
  readonly history: ReadonlyMap<string, readonly KeyState[]>;
  /** What the store said of itself after each write, from 0 on. */
  readonly moments: readonly Moment[];
  /** Writes that stored a value with a record that tells all of it, or moved values. */
  readonly told: ReadonlySet<number>;
  /** How often each kind was written after all was forced to disk. */
  readonly made: ReadonlyMap<WriteKind, number>;
  /** Number of the last write that must not be lost, and of the last one. */
  readonly safe: number;
  readonly last: number;
}

/** Writes a store of its own in a directory, one write a batch: as clients do, and upkeep. */
export async function writeStore(directory: string, spec: WriteSpec, random: Random): Promise<WrittenStore> {
  const store = await Store.open(directory, {
    blockCacheBytes: 2 ** 20,
    syncEveryBatch: spec.syncsEach,
    onFailed: () => undefined,
    writeBufferBytes: spec.writeBufferBytes,
    segmentBytes: SEGMENT_BYTES,
  });
  const forced = noteForcedSizes(store);
  const writer = await StoreWriter.on(store, random);
  for (let i = 0; i < spec.before; i++) await writer.write();
  const unsynced = await readImage(directory);
  // This removes segments that are empty by now.
  if (!spec.syncsEach) await store.sync();
  const synced = await readImage(directory);
  const safe = writer.writes;
  writer.made.clear();
  for (let i = 1; i < spec.after; i++) await writer.write();
  await writer.write(spec.last);
  const written = await readImage(directory);
  await store.close();
  const removed = new Map([...unsynced, ...synced].filter(([name]) => /\.(values|log|ldb)$/.test(name) && !written.has(name)));
  const { history, moments, made, told } = writer;
  return { syncsEach: spec.syncsEach, written, synced: withForced(synced, written, forced), removed, history, moments, told, made, safe, last: writer.writes };
}
