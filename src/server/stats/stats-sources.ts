import type { AuthCounts } from '../../auth/auth-counts.ts';
import type { Cache } from '../../cache/cache.ts';
import type { ServeConfig } from '../../config.ts';
import type { Store } from '../../store/store.ts';
import type { LoopDelay } from '../../upkeep/loop-delay.ts';
import type { Quota } from '../../upkeep/quotas.ts';
import type { SizeHistogram } from '../../upkeep/size-histogram.ts';
import type { CrawlerSettings } from '../admin.ts';
import type { ConnectionMemory } from '../connection-memory.ts';
import type { DatagramCounts } from '../datagram.ts';
import type { Traffic } from '../traffic.ts';
import type { Session } from '../session.ts';
import type { TlsCounts } from '../tls-accept.ts';

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
  /** Undefined without UDP. */
  readonly datagrams: DatagramCounts | undefined;
  readonly auth: AuthCounts;
  crawler(): CrawlerSettings;
  /** Sweeps in this process. */
  sweeps(): { readonly running: boolean; readonly started: number };
  cachedump(limit: number): Promise<string>;
  /** Of prefixes. */
  readonly quotas: readonly Quota[];
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
  /** How late the event loop is. */
  readonly loop: LoopDelay;
  /** What all connections hold together. */
  readonly connectionMemory: ConnectionMemory;
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
