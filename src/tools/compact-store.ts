import { join } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { Residency } from '../cache/residency.ts';
import { RamTier } from '../ram/ram-tier.ts';
import { Store } from '../store/store.ts';
import { ValueCollector } from '../upkeep/value-collector.ts';
import { formatAmount } from './amounts.ts';
import type { Progress } from './progress.ts';
import { fileBytes } from './stat-store.ts';
import { openStoppedLevel, withAdvice } from './store-reader.ts';

const RAM_BYTES = 4 * 2 ** 20;
const BLOCK_CACHE_BYTES = 16 * 2 ** 20;
/** Milliseconds between two looks at the directory: LevelDB does not tell how far it is. */
const LOOK_MS = 200;

/** Bytes on disk. */
export interface CompactReport {
  readonly leveldb_bytes_before: number;
  readonly leveldb_bytes_after: number;
  readonly segment_bytes_before: number;
  readonly segment_bytes_after: number;
  readonly segments_rewritten: number;
  readonly bytes_copied: number;
}

/** Bytes of LevelDB's files and of the value log. */
interface Sizes {
  readonly level: number;
  readonly segments: number;
}

/** Gives back what dead rows and dead values of a stopped store take: LevelDB is compacted, half-dead segments are rewritten. */
export async function compactStore(directory: string, now: () => number, progress?: Progress): Promise<CompactReport> {
  const before = await sizesOf(directory);
  // Before anything is made: it tells a directory that is no whole store.
  await (await openStoppedLevel(directory)).close();
  const store = await open(directory);
  const collector = new ValueCollector(new Residency(store, new RamTier(RAM_BYTES)), store);
  const over = new AbortController();
  const showing = progress === undefined ? undefined : showSizes(directory, before, collector, progress, over.signal);
  try {
    await collector.run(now, new AbortController().signal);
    await store.sync();
    await store.compactAll();
  } finally {
    over.abort();
    await showing;
    await store.close();
  }
  const after = await sizesOf(directory);
  return {
    leveldb_bytes_before: before.level,
    leveldb_bytes_after: after.level,
    segment_bytes_before: before.segments,
    segment_bytes_after: after.segments,
    segments_rewritten: collector.done.segments,
    bytes_copied: collector.done.bytes,
  };
}

/** Shows what is on disk until `signal` aborts; then wipes the line. */
async function showSizes(directory: string, before: Sizes, collector: ValueCollector, progress: Progress, signal: AbortSignal): Promise<void> {
  const show = async (): Promise<void> => {
    const { level, segments } = await sizesOf(directory);
    const rewritten = `${collector.done.segments} segments rewritten`;
    progress.tell(`${formatAmount(level + segments)} on disk, ${formatAmount(before.level + before.segments)} before, ${rewritten}`);
  };
  try {
    await show();
    for await (const _tick of setInterval(LOOK_MS, undefined, { signal })) await show();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.end();
  }
}

async function open(directory: string): Promise<Store> {
  try {
    return await Store.open(directory, { blockCacheBytes: BLOCK_CACHE_BYTES, syncEveryBatch: false, onFailed: () => undefined, mustExist: true });
  } catch (error) {
    throw withAdvice(error);
  }
}

async function sizesOf(directory: string): Promise<Sizes> {
  return { level: await fileBytes(directory).catch(() => 0), segments: await fileBytes(join(directory, 'values')).catch(() => 0) };
}
