/** Everything `tugela-ts serve` can be told, after defaults, file, environment and command line. */
export interface ServeConfig {
  /** TCP port; 0 = any free one. */
  readonly port: number;
  /** Addresses to listen on; empty = no TCP at all. */
  readonly listen: readonly string[];
  /** Unix socket path, or undefined. */
  readonly socket: string | undefined;
  /** Permission bits of the unix socket. */
  readonly socketMode: number;
  /** The store's directory. */
  readonly file: string;
  /** MB of RAM for caching: RAM tier and LevelDB's block cache together. */
  readonly memory: number;
  /** Most client connections at once. */
  readonly connections: number;
  /** Seconds between forced writes to disk; 0 = never by timer. */
  readonly sync: number;
  /** When a mutation is acknowledged: in RAM, in LevelDB's log, or after fsync. */
  readonly ack: AckMode;
  /** Seconds between sweeps inside the server; 0 = off. */
  readonly expireEvery: number;
  /** Bytes of the largest item: key, value and memcached's overhead of 59 bytes, 63 with client flags. */
  readonly maxItemSize: number;
  /** Who may send the control commands of the expiry daemon. */
  readonly control: ControlMode;
  /** 0, 1 (-v), or 2 (-vv). */
  readonly verbosity: number;
}

export type AckMode = 'memory' | 'log' | 'sync';

/** `local` = unix socket and loopback peers; `any` = every client; `off` = nobody. */
export type ControlMode = 'local' | 'any' | 'off';
