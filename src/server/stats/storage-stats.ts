import type { EphemeralItems } from '../../store/ephemeral-items.ts';
import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** `stats storage`: what is on disk and in RAM, and how the store works. */
export async function storageStats(sources: StatsSources): Promise<Stat[]> {
  const { cache, store } = sources;
  const { state, commits } = store;
  const ram = cache.residency.ram.stats();
  const { counters, residency } = cache;
  const values = store.values.stats();
  const levelBytes = await store.levelDiskBytes();
  const deadRowBytes = await sources.deadRowBytes();
  const { liveValueBytes, deadValueBytes } = store;
  const gets = counters.get_hits + counters.get_misses + counters.touch_hits + counters.touch_misses;
  return [
    ['items', store.items],
    ['live_bytes', store.bytes],
    ['dead_bytes', deadRowBytes + deadValueBytes],
    ['disk_bytes', levelBytes + values.bytes],
    ['level_disk_bytes', levelBytes],
    ['level_dead_bytes', deadRowBytes],
    ['value_disk_bytes', values.bytes],
    ['value_live_bytes', liveValueBytes],
    ['value_dead_bytes', deadValueBytes],
    ['value_segments', values.segments],
    ['value_segments_empty', store.emptySegments],
    ...levelStats(store.levelStats()),
    ['level_memory_bytes', store.levelMemory()],
    ['block_cache_limit_bytes', sources.blockCacheBytes],
    ['ram_limit_bytes', ram.limitBytes],
    ['ram_used_bytes', ram.usedBytes],
    ['ram_place_bytes', ram.placeBytes],
    ['ram_items', ram.items],
    ['ram_absent', ram.absent],
    ['ram_evictions', ram.evictions],
    ['ram_lookups', gets],
    ['rows_read', residency.reads.rows],
    ['values_read', residency.reads.values],
    ...ephemeralStats(store.ephemeral),
    ['ram_hit_rate', gets === 0 ? '0.0000' : Math.max(0, 1 - residency.reads.lookups / gets).toFixed(4)],
    ['batches', commits.batches],
    ['mutations', commits.mutations],
    ['batch_mean_size', commits.batches === 0 ? '0.0' : (commits.mutations / commits.batches).toFixed(1)],
    ['level_bytes_written', commits.levelBytes],
    ['value_bytes_written', commits.valueBytes],
    ['fsyncs', commits.syncs],
    ['write_failures', commits.failures],
    ['damaged_values', commits.damaged],
    ['writable', store.failure === undefined ? 1 : 0],
    ['pending_bytes', store.pendingBytes],
    ['deferred_items', store.deferredItems],
    ['index_entries', state.indexEntries],
    ['flush_pending_at', state.flushAt],
    ['flushed_cas', state.flushCas],
    ...sources.upkeep(),
  ];
}

function ephemeralStats(ephemeral: EphemeralItems | undefined): Stat[] {
  return [
    ['ephemeral_items', ephemeral?.size ?? 0],
    ['ephemeral_bytes', ephemeral?.bytes ?? 0],
    ['ephemeral_limit_bytes', ephemeral?.limitBytes ?? 0],
    ['ephemeral_stored', ephemeral?.counts.stored ?? 0],
    ['ephemeral_overflows', ephemeral?.counts.overflows ?? 0],
  ];
}

/** Reads LevelDB's table `level files size(MB) time(sec) read(MB) write(MB)`. */
function levelStats(text: string): Stat[] {
  const stats: Stat[] = [];
  let seconds = 0;
  let read = 0;
  let written = 0;
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/).map(Number);
    if (columns.length !== 6 || columns.some(Number.isNaN)) continue;
    const [level, files, size, time, readMb, writeMb] = columns;
    stats.push([`level${level}_files`, files!], [`level${level}_mb`, size!]);
    seconds += time!;
    read += readMb!;
    written += writeMb!;
  }
  return [...stats, ['compaction_seconds', seconds], ['compaction_read_mb', read], ['compaction_written_mb', written]];
}
