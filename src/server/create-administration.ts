import { SizeHistogram } from '../upkeep/size-histogram.ts';
import { protocolVersion } from '../version.ts';
import { Admin } from './admin.ts';
import type { Traffic } from './traffic.ts';
import type { ConnectionMemory } from './connection-memory.ts';
import { Control } from './control.ts';
import type { Administration } from './dialect.ts';
import { Dump } from './dump.ts';
import type { HotKeys } from './hot-keys.ts';
import type { ServerParts } from './server-parts.ts';
import type { Session } from './session.ts';
import { SnapshotDump } from './snapshot.ts';
import { Stats } from './stats/stats.ts';
import { parseWatchWords, type WatchHub } from './watch-hub.ts';

/** What belongs to all connections together, and is administered. */
export interface Administered {
  readonly traffic: Traffic;
  readonly memory: ConnectionMemory;
  readonly hotKeys: HotKeys;
  readonly setVerbosity: (level: number) => void;
}

/** Puts together what answers commands that are not about items: stats, administration, the expiry daemon's. */
export function createAdministration(parts: ServerParts, { traffic, memory, hotKeys, setVerbosity }: Administered): Administration {
  const { config, clock, credentials, verbosity, listeners, clients, store, cache, watch, upkeep, quotas } = parts;
  const snapshots = new SnapshotDump(cache, store);
  const control = new Control(config.control, upkeep.target, () => upkeep.startSweep(), {
    deletePrefix: (prefix) => upkeep.deletePrefix(prefix),
    prefixJobs: () => upkeep.prefixJobs(),
    hotKeys: () => hotKeys.ask(),
    dump: (prefix) => snapshots.stream(prefix),
  });
  const dump = new Dump(cache, store);
  const admin = new Admin({
    shutdown: config.shutdown,
    dumping: config.dumping,
    watching: config.watching,
    mayControl: (session) => control.isAllowed(session),
    stop: (why) => parts.requestStop(why),
    setVerbosity,
    setMemory: (megabytes) => setMemory(parts, megabytes),
    refreshCertificates: () => credentials.refreshCertificates(),
    startSweep: () => upkeep.startSweep(),
    metadump: () => dump.metadump(),
    mgdump: () => dump.mgdump(),
    watch: (words, session) => addWatcher(watch, words, session),
  });
  const stats = new Stats({
    config,
    version: protocolVersion(),
    cache,
    store,
    traffic,
    connections: clients.counts,
    sessions: () => clients.all,
    listeners: () => listeners.all.map(({ id, statsAddress }) => ({ id, address: statsAddress })),
    memory: () => parts.memory.megabytes,
    watch,
    tls: credentials.tls,
    datagrams: listeners.datagramCounts,
    auth: credentials.attempts,
    crawler: () => admin.crawler,
    sweeps: () => upkeep.sweeps,
    cachedump: (limit) => dump.cachedump(limit),
    quotas,
    sizes: new SizeHistogram(cache, store),
    blockCacheBytes: parts.memory.blockCacheBytes,
    verbosity: () => verbosity.level,
    expiry: () => upkeep.target.reported,
    expiryAge: () => upkeep.target.reportAge,
    deadRowBytes: () => upkeep.deadRowBytes(),
    upkeep: () => upkeep.stats(),
    loop: upkeep.loop,
    connectionMemory: memory,
    now: () => clock.now(),
  });
  return {
    version: protocolVersion(),
    flushAllowed: config.flushAll,
    stats: (words) => stats.answer(words),
    expire: (words, session) => control.answer(words, session),
    command: (words, session) => admin.answer(words, session),
    sync: () => store.sync(),
    setVerbosity: (level, session) => admin.setVerbosity(level, session),
  };
}

function setMemory({ config, cache, memory, logger }: ServerParts, megabytes: number): void {
  if (config.ramTier) cache.residency.ram.resize(memory.ramTierBytes(megabytes));
  memory.megabytes = megabytes;
  logger.info({ megabytes }, 'memory limit changed');
}

/** Makes a connection a watcher of what its words name. */
function addWatcher(watch: WatchHub, words: readonly string[], session: Session): 'ok' | 'too_many' | 'unknown_word' {
  // A datagram's connection is over before anything happens.
  if (session.transport === 'udp') return 'unknown_word';
  const kinds = parseWatchWords(words);
  return kinds === undefined ? 'unknown_word' : watch.add(session, kinds);
}
