import type { Level } from './row-batch.ts';

/** Bytes of rows from which on LevelDB's sorted memory is written to a table. */
const LEAST_BYTES = 2 * 2 ** 20;
/** The same as a share of the rows of all items: each table is merged with those that hold the same keys. */
const SHARE = 0.35;
/** The most of them, as a share of LevelDB's write buffer, in which they take nearly twice as much: above, LevelDB is left to itself. */
const MOST_SHARE = 0.25;
/** A range behind all keys. */
const NOWHERE: Buffer = Buffer.from([0xff]);

/**
 * Has LevelDB write its sorted memory to a table sooner than it would, in a small store. Each step to the place of a row among
 * 16 MiB of others is in memory that no cache of the processor holds, a sixth of the CPU of a pipelined set; and what is overwritten
 * again and again lies there many times. In a large store tables would be merged too often (docs/storage-format.md).
 */
export class EarlyFlush {
  readonly #db: () => Pick<Level, 'compactRange'>;
  readonly #rowBytes: () => number;
  readonly #mostBytes: number;
  #bytes = 0;
  #isFlushing = false;

  /** `rowBytes` = of keys and values of the rows of all items; `writeBufferBytes` as LevelDB was told. */
  constructor(db: () => Pick<Level, 'compactRange'>, rowBytes: () => number, writeBufferBytes: number) {
    this.#db = db;
    this.#rowBytes = rowBytes;
    this.#mostBytes = writeBufferBytes * MOST_SHARE;
  }

  /** Takes note that LevelDB was given a batch of so many bytes of keys and values. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isFlushing || this.#bytes < LEAST_BYTES) return;
    const enough = Math.max(LEAST_BYTES, this.#rowBytes() * SHARE);
    if (this.#bytes < enough || enough > this.#mostBytes) return;
    this.#bytes = 0;
    void this.#flush();
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    try {
      // LevelDB writes its memory out before it looks for tables in the range.
      await this.#db().compactRange(NOWHERE, NOWHERE);
    } catch {
      // Whoever writes the next batch is told of a disk that does not take it; or the store was closed.
    } finally {
      this.#isFlushing = false;
    }
  }
}
