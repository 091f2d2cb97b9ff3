/** What a connection is doing, under memcached's names (protocol.txt, "stats conns"). */
export type ConnectionState =
  | 'conn_new_cmd'
  | 'conn_parse_cmd'
  | 'conn_nread'
  | 'conn_swallow'
  | 'conn_waiting'
  | 'conn_write'
  | 'conn_closing'
  | 'conn_watch';

/** What is known of a connection beyond its bytes. */
export interface Session {
  /** Number of the connection, unique in this process; `cfd` of the log lines of watch. */
  readonly id: number;
  /** Peer: `tcp:1.2.3.4:5`, `tcp6:[::1]:5`, `udp:1.2.3.4:5` or `unix:/path`. */
  readonly peer: string;
  /** The address it came in by, in the same form. */
  readonly listener: string;
  readonly transport: 'tcp' | 'udp' | 'local';
  /** True for unix sockets and loopback peers. */
  readonly isLocal: boolean;
  /** Unix seconds. */
  lastCommandAt: number;
  readonly state: ConnectionState;
  /** True when replies to commands before the one that runs are not sent yet. */
  readonly isPipelined: boolean;
  /** Bytes given to the socket that the kernel has not taken. */
  readonly unsentBytes: number;
  /** True once the client has authenticated; without meaning when it need not. */
  authenticated: boolean;
  /** Sends bytes that no command asked for, at once. For watchers. */
  push(bytes: Buffer): void;
}
