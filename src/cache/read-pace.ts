/** Keys that one turn of the event loop may read at once: bounds how long other clients wait. */
const KEYS_PER_TURN = 128;
/** Milliseconds above which a read was not from memory: a disk, or a lock held by a compaction. */
const SLOW_MS = 0.5;
/**
 * Milliseconds from which on a read may have been from a fast disk, and is taken for one if anything was read from a disk since the last
 * such read. Now and then one does less harm than to do without. When they are a fifth of the reads, and so many more, it counts as slow.
 */
const DOUBTFUL_MS = 0.1;
const DOUBTFUL_SHARE = 0.2;
const DOUBTFUL_MORE = 4;
/** Milliseconds without reads at once after a slow one; doubles with the next slow one, unless so many were quick in between. */
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1000;
const QUICK_READS = 128;
/**
 * A pause goes on while the process reads more blocks of 512 bytes than these for each item that is read beside the event loop: 16 KiB,
 * a fifth of what it takes when nothing is in memory (docs/benchmarks.md). Compactions, which read meanwhile, take less.
 */
const BLOCKS_PER_READ = 32;

/**
 * Decides whether reads may block the event loop. From the page cache a blocking read costs a quarter of the CPU of one of
 * sixteen that go through the thread pool together, and far less than one that goes alone (`npm run bench -- --micro`); from a
 * disk it would hold up every client. So one slow read turns them off for a while, and they stay off while the operating system says
 * that what is read elsewhere comes from a disk. Where it does not say, the only way to know is to try.
 */
export class ReadPace {
  readonly #blocksRead: () => number;
  #left = 0;
  #turnScheduled = false;
  #isPaused = false;
  #pausedUntil = 0;
  #pauseMs = PAUSE_MIN_MS;
  /** Reads that were not allowed since the pause began, or was prolonged. */
  #elsewhere = 0;
  #startedAt = 0;
  /** Reads since the last slow one. */
  #quick = 0;
  /** Reads that may have been from a disk, beyond their share. */
  #doubtful = 0;
  /** Blocks read when that was last looked at. Not in each turn: to ask took others 8 ms at the 99th percentile under load. */
  #blocks = 0;

  /** `blocksRead` = blocks of 512 bytes that this process has read from disks, all its threads together. */
  constructor(blocksRead: () => number = () => process.resourceUsage().fsRead) {
    this.#blocksRead = blocksRead;
  }

  /** True when a read may block now. `finish` must follow the read. */
  mayBlock(): boolean {
    const now = performance.now();
    if (this.#isPaused && !this.#isOver(now)) {
      this.#elsewhere++;
      return false;
    }
    if (this.#left <= 0) {
      if (this.#turnScheduled) return false;
      this.#turnScheduled = true;
      this.#left = KEYS_PER_TURN;
      setImmediate(() => {
        this.#turnScheduled = false;
        this.#left = 0;
      });
    }
    this.#left--;
    this.#startedAt = now;
    return true;
  }

  /** Notes how long the read took. */
  finish(): void {
    const now = performance.now();
    const tookMs = now - this.#startedAt;
    if (tookMs < SLOW_MS && !this.#areDoubtful(tookMs)) {
      // One alone was in memory by chance: of what is mostly on disk a little is.
      if (++this.#quick === QUICK_READS) this.#pauseMs = PAUSE_MIN_MS;
      return;
    }
    this.#quick = 0;
    this.#doubtful = 0;
    this.#isPaused = true;
    this.#pause(now);
  }

  #areDoubtful(tookMs: number): boolean {
    const isDoubtful = tookMs >= DOUBTFUL_MS && this.#hasRead();
    this.#doubtful = Math.max(0, this.#doubtful + (isDoubtful ? 1 : 0) - DOUBTFUL_SHARE);
    return this.#doubtful > DOUBTFUL_MORE;
  }

  #hasRead(): boolean {
    const before = this.#blocks;
    this.#blocks = this.#blocksRead();
    return this.#blocks > before;
  }

  #isOver(now: number): boolean {
    if (now < this.#pausedUntil) return false;
    const fromDisk = this.#blocksRead() - this.#blocks;
    if (this.#elsewhere > 0 && fromDisk > BLOCKS_PER_READ * this.#elsewhere) {
      this.#pause(now);
      return false;
    }
    this.#isPaused = false;
    return true;
  }

  #pause(now: number): void {
    this.#pausedUntil = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
    this.#elsewhere = 0;
    this.#blocks = this.#blocksRead();
  }
}
