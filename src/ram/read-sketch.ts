/** Counts go up to here: what is read often outlives some passes without being read. */
const COUNT_MAX = 3;
/** Counters per byte. */
const PER_BYTE = 4;
const BITS = 2;
/** Fewest counters: below this their memory does not matter. */
const CELLS_MIN = 2 ** 16;
/** Most counters: 2^28 take 64 MiB, for a hundred million items. */
const CELLS_MAX = 2 ** 28;

/**
 * How often keys were read lately, for eviction: a counter of two bits per key, by its hash. Who decides about a key
 * takes one off, so that what is not read any more falls to 0 (GCLOCK; Corbató 1968, Smith 1978). Keys that share a
 * counter are taken for read when one of them is; with at least two counters per item that is rare among items that
 * are not read.
 *
 * Half a byte to a byte per item. It starts empty: after a restart nothing was read yet.
 */
export class ReadSketch {
  #cells: Uint8Array;
  #mask: number;

  /** `items` is how many keys are expected. */
  constructor(items: number) {
    const cells = cellsFor(items);
    this.#cells = new Uint8Array(cells / PER_BYTE);
    this.#mask = cells - 1;
  }

  /** Bytes of its memory. */
  get bytes(): number {
    return this.#cells.length;
  }

  /** A key was read. */
  add(hash: number): void {
    const cell = hash & this.#mask;
    const shift = (cell % PER_BYTE) * BITS;
    const at = Math.floor(cell / PER_BYTE);
    const byte = this.#cells[at]!;
    if (((byte >> shift) & COUNT_MAX) < COUNT_MAX) this.#cells[at] = byte + (1 << shift);
  }

  /** True when a key was read since; takes one off. */
  take(hash: number): boolean {
    const cell = hash & this.#mask;
    const shift = (cell % PER_BYTE) * BITS;
    const at = Math.floor(cell / PER_BYTE);
    const byte = this.#cells[at]!;
    if (((byte >> shift) & COUNT_MAX) === 0) return false;
    this.#cells[at] = byte - (1 << shift);
    return true;
  }

  /** Makes room for more keys. What is known is kept: a key's counter is copied to where it is found from now on. */
  fit(items: number): void {
    const cells = cellsFor(items);
    if (cells <= this.#mask + 1) return;
    const grown = new Uint8Array(cells / PER_BYTE);
    for (let at = 0; at < grown.length; at += this.#cells.length) grown.set(this.#cells, at);
    this.#cells = grown;
    this.#mask = cells - 1;
  }
}

/** At least two counters per item, and a power of two. */
function cellsFor(items: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, items * 2)));
  return Math.min(CELLS_MAX, Math.max(CELLS_MIN, wanted));
}
