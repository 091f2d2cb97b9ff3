/** One row of the TTL index whose bucket is over, so that all it lists is due unless it changed. */
export interface DueRow {
  /** Names the row in a later `reap`; sorts in order of deadline. Letters, digits and `-` only. */
  readonly id: string;
  /** Unix seconds at which the bucket ended. */
  readonly deadline: number;
  /** Keys listed. */
  readonly entries: number;
}

export interface DueList {
  readonly rows: readonly DueRow[];
  /** Where to go on; undefined when nothing further is due now. */
  readonly next: string | undefined;
  /** The highest cas unique given out so far: what was stored later was not seen by this list. */
  readonly seen: string;
}

/** What became of the entries of some index rows, or of some listed items. */
export interface ReapReport {
  /** Entries or items looked at. */
  readonly scanned: number;
  /** Items deleted. */
  readonly deleted: number;
  /** Bytes of keys and values of the items deleted. */
  readonly bytes: number;
  /** Index entries that no longer applied (deleted, or living on under another bucket). */
  readonly stale: number;
  /** Items left alone because they were stored anew after the list was made. */
  readonly changed: number;
}

/** One live or expired item, as `list` shows it. */
export interface ListedItem {
  readonly key: Buffer;
  readonly cas: string;
  /** Unix seconds; 0 = never. */
  readonly expiresAt: number;
  /** Unix seconds of the last store. */
  readonly storedAt: number;
  /** Bytes of the value. */
  readonly length: number;
}

export interface ItemList {
  readonly items: readonly ListedItem[];
  /** Where to go on: give it back as `after`; undefined at the end of the range. */
  readonly next: string | undefined;
}

export interface ListQuery {
  /** Items at most that are looked at; fewer may match. */
  readonly limit: number;
  /** Only keys that begin with these bytes. */
  readonly prefix?: Buffer | undefined;
  /** Only items stored before this Unix time. */
  readonly storedBefore?: number | undefined;
  readonly after?: string | undefined;
}

/** What the server says of the index as a whole. */
export interface IndexState {
  /** Keys listed in all index rows, stale ones included. */
  readonly entries: number;
  /** Unix seconds of the earliest deadline; 0 when the index is empty. */
  readonly oldestDeadline: number;
  /** The server's clock, Unix seconds. */
  readonly now: number;
  /** Milliseconds by which the server's event loop was late lately: how busy it is. */
  readonly busyMs: number;
  /** Bytes that should be evicted now to stay below the limit on disk and below quotas; 0 or undefined = none. */
  readonly evictBytes?: number;
  /** Bytes of keys and values of all items; undefined = not known. */
  readonly liveBytes?: number;
  /** Bytes of all files of the store, as last looked at; undefined = not known. */
  readonly diskBytes?: number;
  /** Bytes on disk of dead rows and values, an estimate; undefined = not known. */
  readonly deadBytes?: number;
  /** Of these, bytes of dead rows whose compaction pays now; 0 or undefined = none. */
  readonly compactBytes?: number;
  /** Bytes given back by rewriting segments with dead values, since the server started; undefined = nobody does that. */
  readonly valueBytesGivenBack?: number;
}

/** What one step of compaction came to. */
export interface CompactReport {
  /** Ranges compacted: 1, or 0 when none pays or another step is under way. */
  readonly runs: number;
  /** Bytes given back to the file system. */
  readonly bytes: number;
}

/**
 * What a sweep works on: a running server over a socket, or a directory opened by this process.
 * All checks that must be atomic are behind it; the policy (what, when, how fast) is in front.
 */
export interface SweepTarget {
  state(): Promise<IndexState>;
  /** Rows due by now, earliest first, at most `limit` entries or one row; `after` = a former `next`. */
  due(limit: number, after?: string): Promise<DueList>;
  /** Keys listed in one row, for showing. */
  keys(row: string): Promise<readonly Buffer[]>;
  /** Deletes what these rows list if it is still due and was not stored after `seen`; drops the rows. */
  reap(seen: string, rows: readonly string[]): Promise<ReapReport>;
  /** Items in key order. */
  list(query: ListQuery): Promise<ItemList>;
  /** Deletes each item that still has the cas unique it was listed with. */
  remove(items: readonly ListedItem[]): Promise<ReapReport>;
  /** Evicts what was not read lately until so many bytes came free, in one step at least. Absent where nothing is ever evicted. */
  evict?(bytes: number): Promise<ReapReport>;
  /** Compacts one range of LevelDB, where it pays most. Absent where nobody knows what is dead. */
  compact?(): Promise<CompactReport>;
  /** Hands the daemon's own stats to the server, which shows them in `stats expire`. */
  report(stats: ReadonlyMap<string, string>): Promise<void>;
  close(): Promise<void>;
}
