/** Bytes of a group that are written at once at most: some 50 µs from memory to the page cache. */
const AT_ONCE_BYTES = 128 * 1024;
/** Milliseconds above which a write that blocked had to wait for a disk. */
const SLOW_MS = 5;
/** The same of one through the thread pool, in which it may also have waited for others. */
const SLOW_BESIDE_MS = 50;
/**
 * After a slow write none may block for so many times as long as it took: then waiting is a twentieth of the time at most. A thread
 * that has to wait for a processor looks like a slow disk, but does not come again at once.
 */
const PAUSE_PER_SLOW = 20;
/** When the next slow write comes within so many times the last pause, the pause is twice the last one. */
const SOON = 10;
const PAUSE_MAX_MS = 60_000;

/**
 * Decides whether writes may block the event loop. To the page cache each takes 3 µs at once, and tens of µs of CPU through the
 * thread pool, most of it in waking a thread (`npm run bench -- --micro`), while all whose sets are in the group wait. When the
 * kernel makes writers wait for the disk it would hold up every client, though; the only way to know is to look how long they take.
 */
export class WritePace {
  #offUntilMs = 0;
  #pauseMs = 0;
  #syncs = 0;

  /** True when a group of so many bytes may be written at once, for as long as `isOn`. */
  mayBlock(bytes: number): boolean {
    return bytes <= AT_ONCE_BYTES && this.#syncs === 0;
  }

  /** False for a while after a slow write. */
  isOn(nowMs: number): boolean {
    return nowMs >= this.#offUntilMs;
  }

  /** Runs what forces files to disk: a write to one of them may have to wait for that. */
  async whileSyncing(sync: () => Promise<void>): Promise<void> {
    this.#syncs++;
    try {
      await sync();
    } finally {
      this.#syncs--;
    }
  }

  /** Notes when a write began and ended, and whether it blocked. */
  finish(startedMs: number, nowMs: number, blocked: boolean): void {
    const took = nowMs - startedMs;
    if (took < (blocked ? SLOW_MS : SLOW_BESIDE_MS)) return;
    if (blocked) {
      const isSoon = nowMs - this.#offUntilMs < SOON * this.#pauseMs;
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_PER_SLOW * took, isSoon ? 2 * this.#pauseMs : 0));
    }
    this.#offUntilMs = nowMs + this.#pauseMs;
  }
}
