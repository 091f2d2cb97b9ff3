import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuthCounts } from '../auth/auth-counts.ts';
import type { Cache } from '../cache/cache.ts';
import { type Counters, newCounters } from '../cache/counters.ts';
import type { ServeConfig } from '../config.ts';
import type { EphemeralItems } from '../store/ephemeral-items.ts';
import type { CommitStats, Store } from '../store/store.ts';
import type { SizeHistogram } from '../upkeep/size-histogram.ts';
import type { CrawlerSettings } from './admin.ts';
import type { Traffic } from './connection.ts';
import { listing, settingsOf, type Stat, statLines } from './settings-stats.ts';
import type { Session } from './session.ts';
import type { TlsCounts } from './tls-accept.ts';

/** Slab class numbers that memcached knows. */
const SLAB_CLASSES = 64;
/** Connections that `stats conns` lists in one go. */
const CONNS_AT_ONCE = 500;

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
  listeners(): readonly ListenerState[];
  /** MB of RAM for caching, as it is now. */
  memory(): number;
  readonly watch: { stats(): WatchStats; resetCounts(): void };
  /** Undefined without TLS. */
  readonly tls: TlsStats | undefined;
  readonly auth: AuthCounts;
  crawler(): CrawlerSettings;
  /** Sweeps in this process. */
  sweeps(): { readonly running: boolean; readonly started: number };
  cachedump(limit: number): Promise<string>;
  /** The lines of `stats prefixes`. */
  prefixes(): Stat[];
  /** How many items there are of each size. */
  readonly sizes: SizeHistogram;
  /** Bytes that LevelDB's block cache may use. */
  readonly blockCacheBytes: number;
  verbosity(): number;
  /** What the expiry daemon reported last. */
  expiry(): ReadonlyMap<string, string>;
  /** Seconds since then. */
  expiryAge(): number;
  /** Bytes on disk of dead rows, an estimate. */
  deadRowBytes(): Promise<number>;
  /** Upkeep in the background: names and values for `stats storage`. */
  upkeep(): [string, string | number][];
  /** Names and values for `stats load`. */
  load(): [string, string | number][];
  /** Forgets what `load` has counted. */
  resetLoad(): void;
  now(): number;
}

/** A socket that connections or datagrams come in by. */
export interface ListenerState {
  readonly id: number;
  /** `tcp:1.2.3.4:5`, `tcp6:[::1]:5`, `udp:1.2.3.4:5`, `unix:/path`. */
  readonly address: string;
}

export interface WatchStats {
  readonly written: number;
  readonly dropped: number;
  readonly skipped: number;
  readonly sent: number;
  readonly watchers: number;
}

export interface TlsStats {
  readonly counts: TlsCounts;
  readonly files: { readonly secondsSinceRefresh: number };
}

export interface ConnectionCounts {
  current: number;
  total: number;
  rejected: number;
  idleKicks: number;
  readonly startedAt: number;
}

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
    const [group] = words;
    switch (group) {
      case undefined:
        return listing(this.#general());
      case 'settings':
        return listing(this.#settings());
      case 'items':
        return listing(this.#items());
      case 'slabs':
        return listing(this.#slabs());
      case 'sizes':
        return listing(await this.#sizes());
      case 'conns':
        return await this.#conns();
      case 'storage':
        return listing(await this.#storage());
      case 'load':
        return listing(this.#sources.load());
      case 'expire':
        return listing(this.#expire());
      case 'cachedump':
        return await this.#cachedump(words);
      case 'prefixes':
        return listing(this.#sources.prefixes());
      case 'detail':
        return await this.#detail(words);
      case 'reset':
        this.#reset();
        return 'RESET\r\n';
      case 'extstore':
      case 'proxy':
      case 'proxyfuncs':
      case 'proxybe':
        return listing([]);
      default:
        return 'ERROR\r\n';
    }
  }

  async #detail(words: readonly string[]): Promise<string> {
    const { prefixes } = this.#sources.cache;
    if (!this.#sources.config.dumping) return 'CLIENT_ERROR stats detail not allowed\r\n';
    switch (words[1]) {
      case 'on':
      case 'off':
        prefixes.enabled = words[1] === 'on';
        return 'OK\r\n';
      case 'dump':
        return `${await inTurns(prefixes.dump())}END\r\n`;
      default:
        return 'CLIENT_ERROR usage: stats detail on|off|dump\r\n';
    }
  }

  /** The names of memcached, all of them and in its order, also where there is nothing to count here. */
  #general(): Stat[] {
    const { config, cache, store, traffic, connections, version, auth, tls } = this.#sources;
    const now = this.#sources.now();
    const usage = process.resourceUsage();
    // Evictions have a place of their own.
    const { evictions: _evictions, ...counters } = cache.counters;
    const watch = this.#sources.watch.stats();
    const sweeps = this.#sources.sweeps();
    const { state } = store;
    const stats: Stat[] = [
      ['pid', process.pid],
      ['uptime', Math.max(0, now - connections.startedAt)],
      ['time', now],
      ['version', version],
      // What does here what libevent does there.
      ['libevent', `libuv-${process.versions.uv}`],
      ['pointer_size', 64],
      ['rusage_user', (usage.userCPUTime / 1e6).toFixed(6)],
      ['rusage_system', (usage.systemCPUTime / 1e6).toFixed(6)],
      ['max_connections', config.connections],
      ['curr_connections', connections.current],
      ['total_connections', connections.total],
      ['rejected_connections', connections.rejected],
      ['connection_structures', connections.current],
      ...zeros('response_obj_oom', 'response_obj_count', 'response_obj_bytes'),
      ...zeros('read_buf_count', 'read_buf_bytes', 'read_buf_bytes_free', 'read_buf_oom', 'reserved_fds'),
      ...countersOf(counters),
      ['auth_cmds', auth.commands],
      ['auth_errors', auth.errors],
    ];
    if (config.idleTimeout > 0) stats.push(['idle_kicks', connections.idleKicks]);
    stats.push(
      ['bytes_read', traffic.bytesRead],
      ['bytes_written', traffic.bytesWritten],
      ['limit_maxbytes', this.#sources.memory() * 2 ** 20],
      ['accepting_conns', 1],
      ...zeros('listen_disabled_num', 'time_in_listen_disabled_us'),
      ['threads', 1],
      ['conn_yields', traffic.yields],
      ...zeros('hash_power_level', 'hash_bytes', 'hash_is_expanding'),
      ...zeros('slab_reassign_rescues', 'slab_reassign_chunk_rescues', 'slab_reassign_inline_reclaim'),
      ...zeros('slab_reassign_busy_items', 'slab_reassign_busy_deletes', 'slab_reassign_busy_nomem'),
      ...zeros('slab_reassign_last_busy_status', 'slab_reassign_running', 'slabs_moved'),
    );
    if (this.#sources.crawler().enabled) {
      stats.push(['lru_crawler_running', sweeps.running ? 1 : 0], ['lru_crawler_starts', sweeps.started]);
    }
    stats.push(
      ['malloc_fails', 0],
      ['log_worker_dropped', watch.dropped],
      ['log_worker_written', watch.written],
      ['log_watcher_skipped', watch.skipped],
      ['log_watcher_sent', watch.sent],
      ['log_watchers', watch.watchers],
    );
    if (tls !== undefined) {
      if (config.tls?.sessionCache === true) stats.push(['ssl_new_sessions', tls.counts.newSessions]);
      stats.push(
        ['ssl_handshake_errors', tls.counts.handshakeErrors],
        ['ssl_proto_errors', tls.counts.protocolErrors],
        ['time_since_server_cert_refresh', tls.files.secondsSinceRefresh],
      );
    }
    stats.push(
      ...zeros('unexpected_napi_ids', 'round_robin_fallback'),
      ['bytes', store.bytes],
      ['curr_items', store.items],
      ['total_items', state.totalItems],
      ...zeros('slab_global_page_pool', 'expired_unfetched', 'evicted_unfetched'),
      ['evictions', cache.counters.evictions],
      ['reclaimed', state.expired],
      ['crawler_reclaimed', state.expired],
      ...zeros('crawler_items_checked', 'lrutail_reflocked'),
    );
    return stats;
  }

  #settings(): Stat[] {
    const { config, cache } = this.#sources;
    const addresses = this.#sources.listeners().map(({ address }) => address);
    return settingsOf(config, {
      addresses,
      memory: this.#sources.memory(),
      verbosity: this.#sources.verbosity(),
      detail: cache.prefixes.enabled,
      crawler: this.#sources.crawler(),
    });
  }

  /** One class with everything in it: items are not sorted into slabs here. */
  #slabs(): Stat[] {
    const { cache, store } = this.#sources;
    const { counters, residency } = cache;
    const ram = residency.ram.stats();
    if (store.state.totalItems === 0) return [['active_slabs', 0], ['total_malloced', ram.usedBytes]];
    return [
      ['1:used_chunks', store.items],
      ['1:mem_requested', store.bytes],
      ['1:get_hits', counters.get_hits],
      ['1:cmd_set', counters.cmd_set],
      ['1:delete_hits', counters.delete_hits],
      ['1:incr_hits', counters.incr_hits],
      ['1:decr_hits', counters.decr_hits],
      ['1:cas_hits', counters.cas_hits],
      ['1:cas_badval', counters.cas_badval],
      ['1:touch_hits', counters.touch_hits],
      ['active_slabs', 1],
      ['total_malloced', ram.usedBytes],
    ];
  }

  async #sizes(): Promise<Stat[]> {
    if (!this.#sources.config.trackSizes) return [['sizes_status', 'disabled']];
    return (await this.#sources.sizes.count()).map(({ size, count }): Stat => [String(size), count]);
  }

  async #cachedump([, slabClass, limit]: readonly string[]): Promise<string> {
    if (!this.#sources.config.dumping) return 'CLIENT_ERROR stats cachedump not allowed\r\n';
    if (slabClass === undefined || limit === undefined) return 'CLIENT_ERROR bad command line\r\n';
    if (![slabClass, limit].every((word) => /^\d{1,10}$/.test(word))) return 'CLIENT_ERROR bad command line format\r\n';
    if (Number(slabClass) >= SLAB_CLASSES) return 'CLIENT_ERROR Illegal slab id\r\n';
    return Number(slabClass) === 1 ? await this.#sources.cachedump(Number(limit)) : 'END\r\n';
  }

  #items(): Stat[] {
    const { cache, store } = this.#sources;
    const ram = cache.residency.ram.stats();
    if (store.items === 0) return [];
    return [
      ['items:1:number', store.items],
      ['items:1:number_ram', ram.items],
      ['items:1:mem_requested', ram.usedBytes],
      ['items:1:evicted_ram', ram.evictions],
      ['items:1:reclaimed', store.state.expired],
      ['items:1:crawler_reclaimed', store.state.expired],
    ];
  }

  async #conns(): Promise<string> {
    return `${await inTurns(this.#connLines())}END\r\n`;
  }

  *#connLines(): Generator<string, void, undefined> {
    const now = this.#sources.now();
    let stats: Stat[] = [];
    for (const { id, address } of this.#sources.listeners()) {
      if (address.startsWith('udp')) stats.push([`${id}:UDP`, 'UDP']);
      stats.push([`${id}:addr`, address], [`${id}:state`, address.startsWith('udp') ? 'conn_read' : 'conn_listening']);
    }
    let count = 0;
    // Those of now: between two turns others come.
    const sessions = [...this.#sources.sessions()];
    for (const session of sessions) {
      stats.push(
        [`${session.id}:addr`, session.peer],
        [`${session.id}:listen_addr`, session.listener],
        [`${session.id}:state`, session.state],
        [`${session.id}:secs_since_last_cmd`, Math.max(0, now - session.lastCommandAt)],
      );
      if (++count % CONNS_AT_ONCE > 0) continue;
      yield statLines(stats);
      stats = [];
    }
    yield statLines(stats);
  }

  async #storage(): Promise<Stat[]> {
    const { cache, store } = this.#sources;
    const { state, commits } = store;
    const ram = cache.residency.ram.stats();
    const { counters, residency } = cache;
    const values = store.values.stats();
    const levelBytes = await store.levelDiskBytes();
    const deadRowBytes = await this.#sources.deadRowBytes();
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
      ['block_cache_limit_bytes', this.#sources.blockCacheBytes],
      ['ram_limit_bytes', ram.limitBytes],
      ['ram_used_bytes', ram.usedBytes],
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
      ['index_entries', state.indexEntries],
      ['flush_pending_at', state.flushAt],
      ['flushed_cas', state.flushCas],
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
    const { cache, traffic, connections, store, auth } = this.#sources;
    Object.assign(cache.counters, newCounters());
    cache.prefixes.clear();
    traffic.bytesRead = 0;
    traffic.bytesWritten = 0;
    traffic.yields = 0;
    this.#sources.watch.resetCounts();
    this.#sources.resetLoad();
    connections.total = 0;
    connections.rejected = 0;
    connections.idleKicks = 0;
    auth.commands = 0;
    auth.errors = 0;
    const zero: CommitStats = { batches: 0, mutations: 0, levelBytes: 0, valueBytes: 0, syncs: 0, failures: 0, damaged: 0 };
    Object.assign(store.commits, zero);
    if (store.ephemeral !== undefined) Object.assign(store.ephemeral.counts, { stored: 0, overflows: 0 });
    cache.residency.reads.rows = 0;
    cache.residency.reads.values = 0;
    cache.residency.reads.lookups = 0;
  }
}

/** Pieces of a long reply put together, with a turn of the event loop for others between two. */
async function inTurns(pieces: Iterable<string>): Promise<string> {
  let text = '';
  for (const piece of pieces) {
    if (text !== '') await nextTurn();
    text += piece;
  }
  return text;
}

function countersOf(counters: Omit<Counters, 'evictions'>): Stat[] {
  return Object.entries(counters);
}

function zeros(...names: string[]): Stat[] {
  return names.map((name) => [name, 0]);
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
