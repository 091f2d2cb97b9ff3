/** Bytes allocated at a time: more than a step takes along, as a rule. */
const BLOCK_BYTES = 2 ** 20;
/** Blocks kept for the next time. */
const KEPT_BLOCKS = 2;

/**
 * Memory for copies until they are written, used again after that, so that it is no garbage: what is taken in a row lies in a row, and
 * is written as one piece.
 */
export class CopyBuffer {
  #blocks: Buffer[] = [];
  /** The block that is being filled, and how far it is. */
  #block = -1;
  #used = 0;

  /** A copy of some bytes. */
  copy(bytes: Buffer): Buffer {
    const { length } = bytes;
    let block = this.#blocks[this.#block];
    while (block === undefined || this.#used + length > block.length) {
      block = this.#blocks[++this.#block];
      if (block === undefined) this.#blocks.push((block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, length))));
      this.#used = 0;
    }
    const copy = block.subarray(this.#used, this.#used + length);
    bytes.copy(copy);
    this.#used += length;
    return copy;
  }

  /** No copy is in use any more. */
  reset(): void {
    if (this.#blocks.length > KEPT_BLOCKS) this.#blocks = this.#blocks.slice(0, KEPT_BLOCKS);
    this.#block = -1;
    this.#used = 0;
  }
}
