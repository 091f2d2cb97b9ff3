import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files held at most: what a compaction of LevelDB's first levels removes is among the newest of them. */
const HELD_MAX = 100;
/** Milliseconds between two looks at the directory while something is written. */
const LOOK_MS = 500;
/** The same at rest: who deletes and then writes no more has the space back all the same. */
const RESTING_LOOK_MS = 5_000;
/** Looks take a fiftieth of the time at most, also where there are very many files. */
const LOOK_SHARE = 50;
/** LevelDB's tables and logs. */
const NAME = /^\d+\.(?:ldb|log)$/;

/**
 * Keeps LevelDB's newest files open, and closes them after LevelDB has removed them.
 *
 * LevelDB 1.20 removes what a compaction has replaced while it holds the lock that each read needs, ten files as a rule. The
 * kernel frees a removed file of 4 MiB within 2 to 3 ms (ext4) when nobody has it open: all clients waited 17 to 33 ms for that, every
 * few seconds. If somebody has it open it is freed when that one closes it, here by a thread that nobody waits for. A file that
 * cannot be opened is removed as before.
 */
export class HeldFiles {
  readonly #directory: string;
  readonly #written: () => number;
  /** By name; undefined = could not be opened. */
  readonly #held = new Map<string, FileHandle | undefined>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #writtenBefore = -1;
  /** Of the last look: files that came or went, and milliseconds that it took to list them. */
  #changes = 0;
  #tookMs = 0;
  #isStopped = false;

  /** `written` tells how much was written to LevelDB so far. */
  constructor(directory: string, written: () => number) {
    this.#directory = directory;
    this.#written = written;
  }

  /** Begins to look again and again. */
  start(): void {
    this.#lookIn(LOOK_MS);
  }

  /** Closes what was removed since the last look, and holds what is new. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  /** Looks no more and closes all files. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    for (const file of this.#held.values()) await closed(file);
    this.#held.clear();
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => void this.#lookAndGoOn(), ms).unref();
  }

  async #lookAndGoOn(): Promise<void> {
    const written = this.#written();
    const isWritten = written !== this.#writtenBefore;
    this.#writtenBefore = written;
    await this.look();
    if (!this.#isStopped) this.#lookIn(Math.max(isWritten || this.#changes > 0 ? LOOK_MS : RESTING_LOOK_MS, this.#tookMs * LOOK_SHARE));
  }

  async #look(): Promise<void> {
    const beganMs = performance.now();
    const names = await this.#names();
    this.#tookMs = performance.now() - beganMs;
    this.#changes = 0;
    if (names === undefined) return;
    const wanted = new Set(names.slice(0, HELD_MAX));
    for (const [name, file] of this.#held) {
      if (wanted.has(name)) continue;
      this.#changes++;
      this.#held.delete(name);
      // One after the other: to free a file keeps a thread busy that reads and writes could have.
      await closed(file);
    }
    for (const name of wanted) {
      if (this.#held.has(name)) continue;
      this.#changes++;
      this.#held.set(name, await opened(join(this.#directory, name)));
    }
  }

  /** The newest first; undefined when the directory cannot be read. */
  async #names(): Promise<string[] | undefined> {
    try {
      const names = (await readdir(this.#directory)).filter((name) => NAME.test(name));
      // Numbers have six digits, and more from a million on.
      return names.toSorted((a, b) => b.length - a.length || (a < b ? 1 : -1));
    } catch {
      // Gone, or no descriptor left: the next look may be luckier, and nobody depends on it.
      return undefined;
    }
  }
}

async function closed(file: FileHandle | undefined): Promise<void> {
  // Only read from: if it fails nothing is lost, and the descriptor is gone all the same.
  await file?.close().catch(() => undefined);
}

async function opened(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch {
    // Removed since it was listed, or no descriptor is left: then LevelDB's own removal frees it.
    return undefined;
  }
}
