import type { EphemeralOptions } from './ephemeral-items.ts';
import type { LogCut } from './level-mend.ts';

/** How a store is opened, and whom it tells. */
export interface StoreOptions {
  /** Bytes of LevelDB's block cache. */
  readonly blockCacheBytes: number;
  /** Every batch is forced to disk before it counts as committed. */
  readonly syncEveryBatch: boolean;
  /** Called with the keys of a batch that could not be written: their newest state is what is on disk. */
  readonly onFailed: (keys: Iterable<string>, error: Error) => void;
  /** Called with the place of a value that fails its checksum or is gone. */
  readonly onDamaged?: (where: string) => void;
  /** Called when the store is opened and the end of LevelDB's log is left out, because a crash or a power failure cut it off. */
  readonly onLogCut?: (cut: LogCut) => void;
  /** Bytes at which a value segment is full; undefined = SEGMENT_BYTES. */
  readonly segmentBytes?: number | undefined;
  /** Bytes of LevelDB's write buffer and of its tables; undefined = as in tuning.ts. */
  readonly writeBufferBytes?: number | undefined;
  readonly tableBytes?: number | undefined;
  /** Which items are kept in memory alone until the store is closed; undefined = none. */
  readonly ephemeral?: EphemeralOptions | undefined;
  /** LevelDB's files are held open, so that reads need not wait while it removes some (`HeldFiles`). For who serves others. */
  readonly holdsFiles?: boolean;
  /** Do not make a store where there is none. */
  readonly mustExist?: boolean;
  /** Prefixes (latin1) whose items are counted; undefined = those that the store counts already. */
  readonly countedPrefixes?: readonly string[] | undefined;
}
