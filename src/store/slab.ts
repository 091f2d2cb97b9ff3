/** Bytes allocated at a time: one allocation serves some sixty values of 1 KB. */
const SLAB_BYTES = 64 * 1024;

/**
 * Memory for the small things that wait for their commit, cut from larger pieces: one allocation and one garbage
 * collection for many. What is taken in a row lies in a row, so that it can be written as one.
 */
export class Slab {
  #bytes = Buffer.alloc(0);
  #used = 0;

  /** The piece that was cut from last. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where in `bytes` so many begin, at most 64 KiB, of any content. A view of them is left to who needs one: it costs more than they do. */
  take(length: number): number {
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + length;
    return start;
  }
}
