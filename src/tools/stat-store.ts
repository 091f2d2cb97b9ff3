import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../errors.ts';
import { FORMAT_VERSION } from '../store/directory.ts';
import type { Progress } from './progress.ts';
import type { StoreReader } from './store-reader.ts';

/** A segment of the value log. */
export interface SegmentStat {
  readonly segment: number;
  readonly bytes: number;
  readonly live_bytes: number;
  readonly live_items: number;
  /** Unix seconds; 0 = never. */
  readonly latest_expiry: number;
}

/** A level of LevelDB. */
export interface LevelStat {
  readonly level: number;
  readonly files: number;
  /** To the megabyte, as LevelDB says it. */
  readonly megabytes: number;
}

/** What is in a store. */
export interface StoreStat {
  readonly totals: Readonly<Record<string, number | string>>;
  readonly levels: readonly LevelStat[];
  readonly segments: readonly SegmentStat[];
}

const LATEST_NEVER = 0xffff_ffff;

/** Reads every item's row, but no value, and tells what there is. */
export async function statStore(reader: StoreReader, now: number, progress?: Progress): Promise<StoreStat> {
  const { state } = reader;
  const flushCas = reader.flushedUpTo(now);
  let items = 0;
  let bytes = 0;
  let inline = 0;
  let never = 0;
  let expired = 0;
  let flushed = 0;
  let damaged = 0;
  let oldest = Number.POSITIVE_INFINITY;
  let newest = 0;
  for await (const page of reader.pages('')) {
    for (const { key, item } of page) {
      items++;
      if (item === undefined) {
        damaged++;
        continue;
      }
      bytes += key.length + item.length;
      if (item.place === undefined) inline++;
      if (item.expiresAt === 0) never++;
      oldest = Math.min(oldest, item.storedAt);
      newest = Math.max(newest, item.storedAt);
      if (item.cas <= flushCas) flushed++;
      else if (item.expiresAt !== 0 && item.expiresAt <= now) expired++;
    }
    progress?.show(items, bytes);
  }
  progress?.end();
  const segments = segmentStats(reader);
  const segmentBytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const liveBytes = segments.reduce((sum, segment) => sum + segment.live_bytes, 0);
  return {
    totals: {
      format: FORMAT_VERSION,
      items,
      bytes,
      items_counted: state.items,
      bytes_counted: state.bytes,
      items_inline: inline,
      items_out_of_line: items - inline - damaged,
      items_never_expiring: never,
      items_never_expiring_percent: items === 0 ? '0.0' : ((never / items) * 100).toFixed(1),
      items_expired_not_swept: expired,
      items_flushed_not_reclaimed: flushed,
      items_damaged: damaged,
      oldest_stored: items === damaged ? 0 : oldest,
      newest_stored: newest,
      index_entries: state.indexEntries,
      cas: state.cas,
      total_items: state.totalItems,
      flush_pending_at: state.flushAt,
      leveldb_bytes: await fileBytes(reader.directory),
      segments: segments.length,
      segment_bytes: segmentBytes,
      segment_live_bytes: liveBytes,
      segment_dead_bytes: segmentBytes - liveBytes,
    },
    levels: levelStats(reader.db.getProperty('leveldb.stats')),
    segments,
  };
}

/** A stat as lines of names and values. */
export function formatStat({ totals, levels, segments }: StoreStat): string {
  const lines = Object.entries(totals).map(([name, value]) => `${name} ${value}\n`);
  for (const { level, files, megabytes } of levels) lines.push(`level_${level} files ${files} megabytes ${megabytes}\n`);
  for (const each of segments) {
    const dead = each.bytes - each.live_bytes;
    lines.push(`segment_${each.segment} bytes ${each.bytes} live_bytes ${each.live_bytes} dead_bytes ${dead} live_items ${each.live_items} latest_expiry ${each.latest_expiry}\n`);
  }
  return lines.join('');
}

function segmentStats({ files, segments }: StoreReader): SegmentStat[] {
  return [...files.sizes]
    .toSorted(([a], [b]) => a - b)
    .map(([segment, bytes]) => {
      const { liveBytes, liveItems, latestExpiry } = segments.use(segment);
      return {
        segment,
        bytes,
        live_bytes: liveBytes,
        live_items: liveItems,
        latest_expiry: latestExpiry === LATEST_NEVER ? 0 : latestExpiry,
      };
    });
}

/** Reads LevelDB's table of levels; empty where it looks otherwise than known. */
function levelStats(table: string): LevelStat[] {
  return [...table.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)\s/gm)].map(([, level, files, megabytes]) => ({
    level: Number(level),
    files: Number(files),
    megabytes: Number(megabytes),
  }));
}

/** Bytes of the files in a directory, without those of directories in it. */
export async function fileBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) {
    try {
      const info = await stat(join(directory, name));
      if (info.isFile()) bytes += info.size;
    } catch (error) {
      // LevelDB removes files while it compacts.
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    }
  }
  return bytes;
}
