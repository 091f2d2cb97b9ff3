/** Keys that one turn of the event loop may read at once: bounds how long other clients wait. */
const KEYS_PER_TURN = 128;
/** Milliseconds above which a read was not from memory: a disk, or a lock held by a compaction. */
const SLOW_MS = 0.5;
/** Milliseconds without reads at once after a slow one; doubles with the next slow one, unless so many were quick in between. */
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1000;
const QUICK_READS = 128;

/**
 * Decides whether reads may block the event loop. From the page cache a blocking read costs a quarter of the CPU of one of
 * sixteen that go through the thread pool together, and far less than one that goes alone (`npm run bench -- --micro`); from a
 * disk it would hold up every client. The only way to know is to look how long they take: one slow read turns them off for a while.
 */
export class ReadPace {
  #left = 0;
  #turnScheduled = false;
  #offUntil = 0;
  #pauseMs = PAUSE_MIN_MS;
  #startedAt = 0;
  /** Reads since the last slow one. */
  #quick = 0;

  /** True when a read may block now. `finish` must follow the read. */
  mayBlock(): boolean {
    if (this.#left <= 0) {
      if (this.#turnScheduled) return false;
      this.#turnScheduled = true;
      this.#left = KEYS_PER_TURN;
      setImmediate(() => {
        this.#turnScheduled = false;
        this.#left = 0;
      });
    }
    const now = performance.now();
    if (now < this.#offUntil) return false;
    this.#left--;
    this.#startedAt = now;
    return true;
  }

  /** Notes how long the read took. */
  finish(): void {
    const now = performance.now();
    if (now - this.#startedAt < SLOW_MS) {
      // One alone was in memory by chance: of what is mostly on disk a little is.
      if (++this.#quick === QUICK_READS) this.#pauseMs = PAUSE_MIN_MS;
      return;
    }
    this.#quick = 0;
    this.#offUntil = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
  }
}
