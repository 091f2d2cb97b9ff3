import type { ReadSketch } from './read-sketch.ts';

/** Bytes per entry: hash and time, 32 bits each. */
const ENTRY_BYTES = 8;

/**
 * When keys were last asked for: what the meta flags h (fetched before) and l (seconds since) tell. A
 * table of fixed size where a newer key takes the place of an older one with the same cell, so that
 * reads cost no disk writes and memory stays bounded; what fell out counts as never fetched. It also
 * covers items that are on disk alone.
 */
export class AccessTable {
  /** Hash and time of each cell side by side: they are asked for together, far from what was asked for before. */
  readonly #cells: Uint32Array;
  readonly #mask: number;
  /** Told of each access too, where somebody decides by it what to evict. */
  sketch: ReadSketch | undefined = undefined;

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

  /** Touches what `note` will, for `count` keys by their hashes. Returns a sum over what was there. */
  prefetch(hashes: Uint32Array, count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += this.#cells[2 * (hashes[i]! & this.#mask)]!;
    return sum;
  }

  note(hash: number, now: number): void {
    const cell = 2 * (hash & this.#mask);
    this.#cells[cell] = hash;
    this.#cells[cell + 1] = now;
    this.sketch?.add(hash);
  }

  /** The item was stored anew: nobody has fetched this one. */
  forget(hash: number): void {
    const cell = 2 * (hash & this.#mask);
    if (this.#cells[cell] === hash) this.#cells[cell + 1] = 0;
  }
}
