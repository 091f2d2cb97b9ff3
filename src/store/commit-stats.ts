/** Counters of the write path since the start. */
export interface CommitStats {
  batches: number;
  /** Mutations acknowledged, coalesced ones included. */
  mutations: number;
  /** Bytes given to LevelDB and to the value log. */
  levelBytes: number;
  valueBytes: number;
  syncs: number;
  failures: number;
  /** Values that failed their checksum or were gone when read. */
  damaged: number;
}

export function emptyCommitStats(): CommitStats {
  return { batches: 0, mutations: 0, levelBytes: 0, valueBytes: 0, syncs: 0, failures: 0, damaged: 0 };
}
