/** Everything `tugela-ts serve` can be told, after defaults, file, environment and command line. */
export interface ServeConfig {
  /** TCP port of the addresses that name none of their own; 0 = any free one. */
  readonly port: number;
  /** Addresses to listen on; empty = no TCP at all. */
  readonly listen: readonly ListenAddress[];
  /** UDP port on the same addresses: 0 = any free one, undefined = no UDP. */
  readonly udpPort: number | undefined;
  /** True: replies over UDP to other machines may be longer than their requests. */
  readonly udpLongReplies: boolean;
  /** Unix socket path, or undefined. */
  readonly socket: string | undefined;
  /** Permission bits of the unix socket. */
  readonly socketMode: number;
  /** The store's directory. */
  readonly file: string;
  /** MB of RAM for caching: RAM tier and LevelDB's block cache together. */
  readonly memory: number;
  /** Bytes that the store may take on disk; undefined = no limit but the disk's. */
  readonly diskLimit: number | undefined;
  /** Prefixes whose items may take only so many bytes each; they may lie within each other. */
  readonly quotas: readonly QuotaConfig[];
  /** False: no items are kept in RAM. */
  readonly ramTier: boolean;
  /** Most client connections at once. */
  readonly connections: number;
  /** Bytes that all connections together may hold of requests and replies. */
  readonly connectionMemory: number;
  /** Connections that the kernel queues while the process is busy. */
  readonly backlog: number;
  /** Requests of one connection that are executed before others get their turn. */
  readonly requestsPerEvent: number;
  /** Seconds after which a TCP connection without a command is closed; 0 = never. */
  readonly idleTimeout: number;
  /** What clients may speak; `auto` = chosen by the first byte of a connection. */
  readonly protocol: ProtocolMode;
  /** TLS on TCP addresses, or undefined. */
  readonly tls: TlsConfig | undefined;
  /** File of `user:password` lines with which clients of the text protocol must authenticate, or undefined. */
  readonly authFile: string | undefined;
  /** File of `user:password` lines with which clients of the binary protocol must authenticate by SASL, or undefined. */
  readonly saslFile: string | undefined;
  /** False: cas uniques are not shown, and every cas fails. */
  readonly cas: boolean;
  /** False: flush_all is refused. */
  readonly flushAll: boolean;
  /** False: commands that list keys for clients are refused: stats cachedump and detail, metadump, mgdump. */
  readonly dumping: boolean;
  /** False: watch is refused. */
  readonly watching: boolean;
  /** True: clients may stop the server with shutdown. */
  readonly shutdown: boolean;
  /** False: items are never evicted to make room. */
  readonly evictions: boolean;
  /** The character that ends a key's prefix in `stats detail`. */
  readonly prefixDelimiter: string;
  /** True: `stats detail` counts from the start. */
  readonly detail: boolean;
  /** True: `stats sizes` is kept. */
  readonly trackSizes: boolean;
  /** Bytes of log lines that may wait for one watcher. */
  readonly watcherBuffer: number;
  /** File that the ports are written to once all are open, or undefined. */
  readonly portFile: string | undefined;
  /** Seconds between forced writes to disk; 0 = never by timer. */
  readonly sync: number;
  /** When a mutation is acknowledged: in RAM, in a file, or after fsync. */
  readonly ack: AckMode;
  /** Seconds between sweeps inside the server; 0 = off. */
  readonly expireEvery: number;
  /** Items stored for at most so many seconds are kept in memory alone until an orderly stop; 0 = none. */
  readonly ephemeralTtl: number;
  /** Bytes of the largest item: key, value and memcached's overhead of 59 bytes, 63 with client flags. */
  readonly maxItemSize: number;
  /** Who may send the control commands of the expiry daemon. */
  readonly control: ControlMode;
  /** 0, 1 (-v), or 2 (-vv). */
  readonly verbosity: number;
}

/** A bound on what is stored under a prefix. */
export interface QuotaConfig {
  /** A latin1 string, a character per byte, not empty. */
  readonly prefix: string;
  /** Bytes of keys and values. */
  readonly bytes: number;
}

export type AckMode = 'memory' | 'log' | 'sync';

/** `local` = unix socket and loopback peers; `any` = every client; `off` = nobody. */
export type ControlMode = 'local' | 'any' | 'off';

/** `ascii` and `binary` fix the protocol of every connection. */
export type ProtocolMode = 'auto' | 'ascii' | 'binary';

/** A TCP address to listen on. */
export interface ListenAddress {
  /** Name or IP address, without brackets. */
  readonly host: string;
  /** Its own port, or undefined for the common one. */
  readonly port: number | undefined;
  /** `plain` = no TLS though others have it; `mutual` = TLS with a client certificate; undefined = as the TLS options say. */
  readonly security: 'plain' | 'mutual' | undefined;
}

export interface TlsConfig {
  /** PEM files: the certificate with its chain, and its key. */
  readonly cert: string;
  readonly key: string;
  /** PEM file of authorities that client certificates are checked against, or undefined for the system's. */
  readonly ca: string | undefined;
  /** Whether clients are asked for a certificate, and whether they must have a good one. */
  readonly verify: 'none' | 'request' | 'require';
  /** OpenSSL's cipher list, or undefined for Node's. */
  readonly ciphers: string | undefined;
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** True: clients may resume a session instead of a full handshake. */
  readonly sessionCache: boolean;
  /** Bytes gathered before they are encrypted; only reported, as OpenSSL does it here. */
  readonly writeBuffer: number;
}
