import { join } from 'node:path';
import { Residency } from '../cache/residency.ts';
import { RamTier } from '../ram/ram-tier.ts';
import { Store } from '../store/store.ts';
import { ValueCollector } from '../upkeep/value-collector.ts';
import { fileBytes } from './stat-store.ts';
import { openStoppedLevel, withAdvice } from './store-reader.ts';

const RAM_BYTES = 4 * 2 ** 20;
const BLOCK_CACHE_BYTES = 16 * 2 ** 20;

/** Bytes on disk. */
export interface CompactReport {
  readonly leveldb_bytes_before: number;
  readonly leveldb_bytes_after: number;
  readonly segment_bytes_before: number;
  readonly segment_bytes_after: number;
  readonly segments_rewritten: number;
  readonly bytes_copied: number;
}

/** Gives back what dead rows and dead values of a stopped store take: LevelDB is compacted, half-dead segments are rewritten. */
export async function compactStore(directory: string, now: () => number): Promise<CompactReport> {
  const before = await sizesOf(directory);
  // Before anything is made: it tells a directory that is no whole store.
  await (await openStoppedLevel(directory)).close();
  const store = await open(directory);
  const collector = new ValueCollector(new Residency(store, new RamTier(RAM_BYTES)), store);
  try {
    await collector.run(now, new AbortController().signal);
    await store.sync();
    await store.compactAll();
  } finally {
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

async function open(directory: string): Promise<Store> {
  try {
    return await Store.open(directory, { blockCacheBytes: BLOCK_CACHE_BYTES, syncEveryBatch: false, onFailed: () => undefined, mustExist: true });
  } catch (error) {
    throw withAdvice(error);
  }
}

async function sizesOf(directory: string): Promise<{ level: number; segments: number }> {
  return { level: await fileBytes(directory).catch(() => 0), segments: await fileBytes(join(directory, 'values')).catch(() => 0) };
}
