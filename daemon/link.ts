/** What is known of the way to the server, for stats and for knowing when to begin anew. */
export interface Link {
  /** True while the last thing heard of the server was an answer. */
  readonly reachable: boolean;
  /** Connections made after the first. */
  readonly reconnects: number;
  /** Grows whenever another server process answers than before: cursors then begin at the start. */
  readonly incarnation: number;
}
