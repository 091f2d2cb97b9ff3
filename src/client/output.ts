import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { messageOf, systemCodeOf } from '../errors.ts';

/** Bytes gathered before they are written: each write to a pipe is a system call. */
const CHUNK_BYTES = 16 * 1024;

/** Writes to a stream not faster than it takes it, so that no listing piles up in memory. */
export class Output {
  readonly #out: Writable;
  #gathered: Buffer[] = [];
  #bytes = 0;
  #error: Error | undefined;

  constructor(out: Writable) {
    this.#out = out;
    out.on('error', (error) => (this.#error ??= error));
  }

  /** True when nobody reads any more: `head` has what it wanted. */
  get isOver(): boolean {
    return this.#error !== undefined || this.#out.destroyed;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#gathered.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= CHUNK_BYTES) await this.flush();
  }

  /**
   * Writes what is gathered.
   *
   * @throws Error when writing fails for another reason than that nobody reads
   */
  async flush(): Promise<void> {
    const chunk = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#bytes = 0;
    if (chunk.length > 0 && !this.isOver) await this.#send(chunk);
    if (this.#error !== undefined && systemCodeOf(this.#error) !== 'EPIPE') {
      throw new Error(`Cannot write output: ${messageOf(this.#error)}`, { cause: this.#error });
    }
  }

  async #send(chunk: Buffer): Promise<void> {
    if (this.#out.write(chunk)) return;
    const controller = new AbortController();
    const { signal } = controller;
    try {
      await Promise.race([once(this.#out, 'drain', { signal }), once(this.#out, 'close', { signal })]);
    } catch (error) {
      // `once` rejects with the stream's own error, which is known by then.
      if (this.#error === undefined) throw error;
    } finally {
      controller.abort();
    }
  }
}
