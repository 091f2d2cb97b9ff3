/** Bytes per entry: hash and time, 32 bits each. */
const ENTRY_BYTES = 8;

/**
 * When keys that are on disk alone were last asked for: what the meta flags h (fetched before) and l (seconds since) tell. A
 * table of fixed size where a newer key takes the place of an older one with the same cell, so that
 * reads cost no disk writes and memory stays bounded; what fell out counts as never fetched.
 */
export class AccessTable {
  /** Hash and time of each cell side by side: they are asked for together, far from what was asked for before. */
  readonly #cells: Uint32Array;
  readonly #mask: number;

  /** `bytes` is a bound on its memory. */
  constructor(bytes: number) {
    const entries = 2 ** Math.floor(Math.log2(Math.max(64, bytes / ENTRY_BYTES)));
    this.#cells = new Uint32Array(2 * entries);
    this.#mask = entries - 1;
  }

  /** Unix seconds of the last access; 0 when there was none or it is forgotten. */
  last(hash: number): number {
    const cell = 2 * (hash & this.#mask);
    return this.#cells[cell] === hash ? this.#cells[cell + 1]! : 0;
  }

  /** Notes an access; 0 = there was none to the item that the key has now. */
  note(hash: number, at: number): void {
    const cell = 2 * (hash & this.#mask);
    if (at === 0) {
      if (this.#cells[cell] === hash) this.#cells[cell + 1] = 0;
      return;
    }
    this.#cells[cell] = hash;
    this.#cells[cell + 1] = at;
  }

  clear(): void {
    this.#cells.fill(0);
  }
}
