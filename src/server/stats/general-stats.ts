import type { Counters } from '../../cache/counters.ts';
import { type Stat, zeros } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** `stats`: the names of memcached, all of them and in its order, also where there is nothing to count here. */
export function generalStats(sources: StatsSources): Stat[] {
  const { config, cache, store, traffic, connections, version, auth, tls, datagrams } = sources;
  const now = sources.now();
  const usage = process.resourceUsage();
  // Evictions have a place of their own.
  const { evictions: _evictions, ...counters } = cache.counters;
  const watch = sources.watch.stats();
  const sweeps = sources.sweeps();
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
    ['limit_maxbytes', sources.memory() * 2 ** 20],
    ['accepting_conns', 1],
    ...zeros('listen_disabled_num', 'time_in_listen_disabled_us'),
    ['threads', 1],
    ['conn_yields', traffic.yields],
    ...zeros('hash_power_level', 'hash_bytes', 'hash_is_expanding'),
    ...zeros('slab_reassign_rescues', 'slab_reassign_chunk_rescues', 'slab_reassign_inline_reclaim'),
    ...zeros('slab_reassign_busy_items', 'slab_reassign_busy_deletes', 'slab_reassign_busy_nomem'),
    ...zeros('slab_reassign_last_busy_status', 'slab_reassign_running', 'slabs_moved'),
  );
  if (sources.crawler().enabled) {
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
  if (datagrams !== undefined) stats.push(['udp_dropped', datagrams.dropped], ['udp_replies_withheld', datagrams.withheld]);
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

function countersOf(counters: Omit<Counters, 'evictions'>): Stat[] {
  return Object.entries(counters);
}
