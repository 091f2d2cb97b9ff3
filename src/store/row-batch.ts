import type { ClassicLevel } from 'classic-level';

export type Level = ClassicLevel<Buffer, Buffer>;

/**
 * A LevelDB write batch with a scratch buffer to build rows in: LevelDB copies what it is given at
 * once, so the same memory serves every row. Chained, because it costs half the main-thread time of
 * an array of operations (docs/storage-format.md).
 */
export class RowBatch {
  readonly #batch: ReturnType<Level['batch']>;
  #bytes = 0;

  constructor(db: Level) {
    this.#batch = db.batch();
  }

  /** Bytes of keys and values put so far. */
  get bytes(): number {
    return this.#bytes;
  }

  put(key: Buffer, value: Buffer): void {
    this.#bytes += key.length + value.length;
    this.#batch.put(key, value);
  }

  del(key: Buffer): void {
    this.#bytes += key.length;
    this.#batch.del(key);
  }

  /** Resolves when the batch is in LevelDB's log, and with `sync` on disk. */
  write(sync: boolean): Promise<void> {
    return this.#batch.write({ sync });
  }
}
