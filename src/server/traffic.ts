/** Bytes and yields of all connections, for stats. */
export interface Traffic {
  bytesRead: number;
  bytesWritten: number;
  /** How often a connection with more to do left the turn to others. */
  yields: number;
}
