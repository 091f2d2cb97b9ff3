import type { Store } from '../store/store.ts';

/** Milliseconds for which a look at the files is good: one at a thousand tables takes some 20 ms of the event loop, in small pieces. */
const LOOK_MS = 2_000;

/**
 * Bytes of all files of a store, for whoever asks often: a look old enough is followed by another in the background, and nobody waits
 * for it but the first to ask.
 */
export class DiskWatch {
  readonly #store: Store;
  /** Of LevelDB's files, by the last look. */
  #levelBytes: number | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<number> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  async bytes(): Promise<number> {
    const level = this.#levelBytes;
    if (level === undefined) return (await this.#look()) + this.#store.values.bytes;
    // A look fails only where the directory is gone, which others find out.
    if (performance.now() - this.#lookedAtMs >= LOOK_MS) this.#look().catch(() => undefined);
    return level + this.#store.values.bytes;
  }

  #look(): Promise<number> {
    this.#looking ??= this.#measure().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #measure(): Promise<number> {
    const bytes = await this.#store.levelDiskBytes();
    this.#levelBytes = bytes;
    this.#lookedAtMs = performance.now();
    return bytes;
  }
}
