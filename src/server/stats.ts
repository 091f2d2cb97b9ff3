import type { Cache } from '../cache/cache.ts';
import { type Counters, newCounters } from '../cache/counters.ts';
import type { ServeConfig } from '../config.ts';
import type { CommitStats, Store } from '../store/store.ts';
import type { Traffic } from './connection.ts';
import type { Session } from './session.ts';

/** What stats are made from. */
export interface StatsSources {
  readonly config: ServeConfig;
  readonly version: string;
  readonly cache: Cache;
  readonly store: Store;
  readonly traffic: Traffic;
  readonly connections: ConnectionCounts;
  /** All connections, and where the server listens. */
  sessions(): Iterable<Session>;
  listeners(): readonly string[];
  /** Bytes that LevelDB's block cache may use. */
  readonly blockCacheBytes: number;
  verbosity(): number;
  /** What the expiry daemon reported last. */
  expiry(): ReadonlyMap<string, string>;
  /** Seconds since then. */
  expiryAge(): number;
  /** Upkeep in the background: names and values for `stats storage`. */
  upkeep(): [string, string | number][];
  now(): number;
}

export interface ConnectionCounts {
  current: number;
  total: number;
  rejected: number;
  readonly startedAt: number;
}

type Stat = readonly [string, string | number];

/**
 * The groups of the stats command (protocol.txt, "General-purpose statistics"; docs/operations.md has
 * every name and its meaning).
 */
export class Stats {
  readonly #sources: StatsSources;

  constructor(sources: StatsSources) {
    this.#sources = sources;
  }

  /** The whole reply to `stats WORD…`. */
  async answer(words: readonly string[]): Promise<string> {
    switch (words[0]) {
      case undefined:
        return list(this.#general());
      case 'settings':
        return list(this.#settings());
      case 'items':
        return list(this.#items());
      case 'sizes':
        return list([['sizes_status', 'disabled']]);
      case 'conns':
        return list(this.#conns());
      case 'storage':
        return list(await this.#storage());
      case 'expire':
        return list(this.#expire());
      case 'slabs':
        return list([
          ['active_slabs', 0],
          ['total_malloced', this.#sources.cache.residency.ram.stats().usedBytes],
        ]);
      case 'detail':
        return this.#detail(words);
      case 'reset':
        this.#reset();
        return 'RESET\r\n';
      default:
        return 'ERROR\r\n';
    }
  }

  #detail(words: readonly string[]): string {
    const { prefixes } = this.#sources.cache;
    switch (words[1]) {
      case 'on':
      case 'off':
        prefixes.enabled = words[1] === 'on';
        return 'OK\r\n';
      case 'dump':
        return `${prefixes.dump()}END\r\n`;
      default:
        return 'CLIENT_ERROR usage: stats detail on|off|dump\r\n';
    }
  }

  #general(): Stat[] {
    const { config, cache, store, traffic, connections, version } = this.#sources;
    const now = this.#sources.now();
    const usage = process.resourceUsage();
    const { state } = store;
    return [
      ['pid', process.pid],
      ['uptime', Math.max(0, now - connections.startedAt)],
      ['time', now],
      ['version', version],
      ['pointer_size', 64],
      ['rusage_user', (usage.userCPUTime / 1e6).toFixed(6)],
      ['rusage_system', (usage.systemCPUTime / 1e6).toFixed(6)],
      ['max_connections', config.connections],
      ['curr_connections', connections.current],
      ['total_connections', connections.total],
      ['rejected_connections', connections.rejected],
      ['connection_structures', connections.current],
      ...countersOf(cache.counters),
      ['bytes_read', traffic.bytesRead],
      ['bytes_written', traffic.bytesWritten],
      ['limit_maxbytes', config.memory * 2 ** 20],
      ['accepting_conns', 1],
      ['listen_disabled_num', 0],
      ['threads', 1],
      ['bytes', state.bytes],
      ['curr_items', state.items],
      ['total_items', state.totalItems],
      ['evictions', 0],
      ['reclaimed', state.expired],
    ];
  }

  #settings(): Stat[] {
    const { config } = this.#sources;
    return [
      ['maxbytes', config.memory * 2 ** 20],
      ['maxconns', config.connections],
      ['tcpport', this.#tcpPort()],
      ['udpport', 0],
      ['inter', config.listen.join(',') || 'NULL'],
      ['verbosity', this.#sources.verbosity()],
      ['oldest', 0],
      ['evictions', 'on'],
      ['domain_socket', config.socket ?? 'NULL'],
      ['umask', config.socketMode.toString(8)],
      ['num_threads', 1],
      ['stat_key_prefix', ':'],
      ['detail_enabled', this.#sources.cache.prefixes.enabled ? 'yes' : 'no'],
      ['cas_enabled', 'yes'],
      ['binding_protocol', 'auto-negotiate'],
      ['auth_enabled_sasl', 'no'],
      ['auth_enabled_ascii', 'no'],
      ['item_size_max', config.maxItemSize],
      ['flush_enabled', 'yes'],
      ['track_sizes', 'no'],
      ['file', config.file],
      ['ack', config.ack],
      ['sync_interval', config.sync],
      ['expire_every', config.expireEvery],
      ['control', config.control],
      ...this.#sources.listeners().map((address, i): Stat => [`listener_${i}`, address]),
    ];
  }

  /** The port that clients use, not the 0 that may have been asked for. */
  #tcpPort(): number {
    const address = this.#sources.listeners().find((each) => each.startsWith('tcp'));
    return address === undefined ? 0 : Number(address.slice(address.lastIndexOf(':') + 1));
  }

  #items(): Stat[] {
    // One class: items are not sorted into slabs here.
    const { cache, store } = this.#sources;
    const ram = cache.residency.ram.stats();
    return [
      ['items:1:number', store.state.items],
      ['items:1:number_ram', ram.items],
      ['items:1:mem_requested', ram.usedBytes],
      ['items:1:evicted_ram', ram.evictions],
      ['items:1:reclaimed', store.state.expired],
    ];
  }

  #conns(): Stat[] {
    const now = this.#sources.now();
    const stats: Stat[] = [];
    this.#sources.listeners().forEach((address, i) => {
      stats.push([`listen${i}:addr`, address], [`listen${i}:state`, 'conn_listening']);
    });
    for (const session of this.#sources.sessions()) {
      stats.push(
        [`${session.id}:addr`, session.peer],
        [`${session.id}:listen_addr`, session.listener],
        [`${session.id}:state`, session.state],
        [`${session.id}:secs_since_last_cmd`, Math.max(0, now - session.lastCommandAt)],
      );
    }
    return stats;
  }

  async #storage(): Promise<Stat[]> {
    const { cache, store } = this.#sources;
    const { state, commits } = store;
    const ram = cache.residency.ram.stats();
    const { counters, residency } = cache;
    const values = store.values.stats();
    const levelBytes = await store.levelDiskBytes();
    let liveValueBytes = 0;
    for (const [, use] of store.segments.entries()) liveValueBytes += use.liveBytes;
    const gets = counters.get_hits + counters.get_misses + counters.touch_hits + counters.touch_misses;
    return [
      ['items', state.items],
      ['live_bytes', state.bytes],
      ['disk_bytes', levelBytes + values.bytes],
      ['level_disk_bytes', levelBytes],
      ['value_disk_bytes', values.bytes],
      ['value_live_bytes', liveValueBytes],
      ['value_dead_bytes', Math.max(0, values.bytes - liveValueBytes)],
      ['value_segments', values.segments],
      ['value_segments_empty', store.emptySegments],
      ...levelStats(store.levelStats()),
      ['level_memory_bytes', store.levelMemory()],
      ['block_cache_limit_bytes', this.#sources.blockCacheBytes],
      ['ram_limit_bytes', ram.limitBytes],
      ['ram_used_bytes', ram.usedBytes],
      ['ram_items', ram.items],
      ['ram_absent', ram.absent],
      ['ram_evictions', ram.evictions],
      ['ram_lookups', gets],
      ['rows_read', residency.reads.rows],
      ['values_read', residency.reads.values],
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
      ['index_entries', state.indexEntries],
      ['flush_pending_at', state.flushAt],
      ...this.#sources.upkeep(),
    ];
  }

  #expire(): Stat[] {
    const reported = [...this.#sources.expiry()];
    const { state } = this.#sources.store;
    return [
      ['items_expired_total', state.expired],
      ['bytes_reclaimed_total', state.reclaimedBytes],
      ['index_entries_now', state.indexEntries],
      ...reported,
      ['report_age', reported.length === 0 ? -1 : this.#sources.expiryAge()],
    ];
  }

  #reset(): void {
    const { cache, traffic, connections, store } = this.#sources;
    Object.assign(cache.counters, newCounters());
    cache.prefixes.clear();
    traffic.bytesRead = 0;
    traffic.bytesWritten = 0;
    connections.total = 0;
    connections.rejected = 0;
    const zero: CommitStats = { batches: 0, mutations: 0, levelBytes: 0, valueBytes: 0, syncs: 0, failures: 0, damaged: 0 };
    Object.assign(store.commits, zero);
    cache.residency.reads.rows = 0;
    cache.residency.reads.values = 0;
    cache.residency.reads.lookups = 0;
  }
}

function countersOf(counters: Counters): Stat[] {
  return Object.entries(counters) as Stat[];
}

function list(stats: readonly Stat[]): string {
  return `${stats.map(([name, value]) => `STAT ${name} ${value}\r\n`).join('')}END\r\n`;
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
