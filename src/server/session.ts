/** What a connection is doing, under memcached's names (protocol.txt, "stats conns"). */
export type ConnectionState = 'conn_new_cmd' | 'conn_parse_cmd' | 'conn_nread' | 'conn_swallow' | 'conn_waiting' | 'conn_write' | 'conn_closing';

/** What is known of a connection beyond its bytes. */
export interface Session {
  /** Number of the connection, unique in this process. */
  readonly id: number;
  /** Peer: `tcp:1.2.3.4:5`, `tcp6:[::1]:5` or `unix:/path`. */
  readonly peer: string;
  /** The address it came in by, in the same form. */
  readonly listener: string;
  /** True for unix sockets and loopback peers. */
  readonly isLocal: boolean;
  /** Unix seconds. */
  lastCommandAt: number;
  readonly state: ConnectionState;
}
