import { encodeUriText } from '../../protocol/uri-key.ts';
import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

const TLS_VERSIONS = { TLSv1: 'tlsv1.0', 'TLSv1.1': 'tlsv1.1', 'TLSv1.2': 'tlsv1.2', 'TLSv1.3': 'tlsv1.3' } as const;
/** SSL_VERIFY_NONE, _PEER, and with _FAIL_IF_NO_PEER_CERT. */
const VERIFY_MODES = { none: 0, request: 1, require: 2 } as const;
const PROTOCOL_WORDS = { auto: 'auto-negotiate', ascii: 'ascii', binary: 'binary' } as const;
const PEM_FORMAT = 1;
const TLS_BUFFER = 16_384;

/**
 * `stats settings`: memcached's names in its order (protocol.txt), then those that only exist here.
 * Settings of slabs, LRU queues and the hash table, which do not exist here, say how memcached works without them.
 */
export function settingsStats(sources: StatsSources): Stat[] {
  const { config, cache } = sources;
  const { tls } = config;
  const addresses = sources.listeners().map(({ address }) => address);
  const crawler = sources.crawler();
  return [
    ['maxbytes', sources.memory() * 2 ** 20],
    ['maxconns', config.connections],
    ['tcpport', portOf(addresses, 'tcp')],
    ['udpport', portOf(addresses, 'udp')],
    ['inter', config.listen.map(({ host }) => host).join(',') || 'NULL'],
    ['verbosity', sources.verbosity()],
    ['oldest', 0],
    ['evictions', onOff(config.evictions)],
    ['domain_socket', config.socket ?? 'NULL'],
    ['umask', config.socketMode.toString(8)],
    ['shutdown_command', yesNo(config.shutdown)],
    ['growth_factor', '1.00'],
    ['chunk_size', 1],
    ['num_threads', 1],
    ['num_threads_per_udp', 1],
    ['stat_key_prefix', config.prefixDelimiter],
    ['detail_enabled', yesNo(cache.prefixes.enabled)],
    ['reqs_per_event', config.requestsPerEvent],
    ['cas_enabled', yesNo(config.cas)],
    ['tcp_backlog', config.backlog],
    ['binding_protocol', PROTOCOL_WORDS[config.protocol]],
    ['auth_enabled_sasl', yesNo(config.saslFile !== undefined)],
    ['auth_enabled_ascii', config.authFile ?? 'no'],
    ['item_size_max', config.maxItemSize],
    ['maxconns_fast', 'yes'],
    ['hashpower_init', 0],
    ['slab_reassign', 'no'],
    ['slab_automove', 0],
    ['slab_automove_ratio', '0.80'],
    ['slab_automove_window', 30],
    ['slab_chunk_max', config.maxItemSize],
    ['lru_crawler', yesNo(crawler.enabled)],
    ['lru_crawler_sleep', crawler.sleep],
    ['lru_crawler_tocrawl', crawler.toCrawl],
    ['tail_repair_time', 0],
    ['flush_enabled', yesNo(config.flushAll)],
    ['dump_enabled', yesNo(config.dumping)],
    ['hash_algorithm', 'murmur3'],
    ['lru_maintainer_thread', 'no'],
    ['lru_segmented', 'no'],
    ['hot_lru_pct', 0],
    ['warm_lru_pct', 0],
    ['hot_max_factor', '0.00'],
    ['warm_max_factor', '0.00'],
    ['temp_lru', 'no'],
    ['temporary_ttl', 0],
    ['idle_timeout', config.idleTimeout],
    ['watcher_logbuf_size', config.watcherBuffer],
    ['worker_logbuf_size', config.watcherBuffer],
    ['read_buf_mem_limit', 0],
    ['track_sizes', yesNo(config.trackSizes)],
    ['inline_ascii_response', 'no'],
    ['ssl_enabled', yesNo(tls !== undefined)],
    ['ssl_chain_cert', tls?.cert ?? 'NULL'],
    ['ssl_key', tls?.key ?? 'NULL'],
    ['ssl_verify_mode', VERIFY_MODES[tls?.verify ?? 'none']],
    ['ssl_keyformat', PEM_FORMAT],
    ['ssl_ciphers', tls?.ciphers ?? 'NULL'],
    ['ssl_ca_cert', tls?.ca ?? 'NULL'],
    ['ssl_wbuf_size', tls?.writeBuffer ?? TLS_BUFFER],
    ['ssl_session_cache', yesNo(tls?.sessionCache === true)],
    ['ssl_kernel_tls', 'no'],
    ['ssl_min_version', TLS_VERSIONS[tls?.minVersion ?? 'TLSv1.2']],
    ['proxy_enabled', 'no'],
    ['proxy_uring_enabled', 'no'],
    ['num_napi_ids', 0],
    ['memory_file', 'NULL'],
    ['client_flags_size', 4],
    ['file', config.file],
    ['ack', config.ack],
    ['sync_interval', config.sync],
    ['expire_every', config.expireEvery],
    ['ephemeral_ttl', config.ephemeralTtl],
    ['disk_limit', config.diskLimit ?? 0],
    ['control', config.control],
    ['udp_long_replies', yesNo(config.udpLongReplies)],
    ['connection_memory', config.connectionMemory],
    ['watch_enabled', yesNo(config.watching)],
    ...addresses.map((address, i): Stat => [`listener_${i}`, address]),
    ...config.quotas.map(({ prefix, bytes }, i): Stat => [`quota_${i}`, `${encodeUriText(prefix)}=${bytes}`]),
  ];
}

/** The port that clients use, not the 0 that may have been asked for; 0 = none. */
function portOf(addresses: readonly string[], transport: 'tcp' | 'udp'): number {
  const address = addresses.find((each) => each.startsWith(transport));
  return address === undefined ? 0 : Number(address.slice(address.lastIndexOf(':') + 1));
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}
