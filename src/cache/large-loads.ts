/** Values above this are large: what is done with one takes a millisecond for each megabyte or two. */
export const LARGE_LOAD_BYTES: number = 128 * 1024;
/** So many large values are being read, or handed to who waited for them: they are in memory, and nobody has accounted for them yet. */
const AT_ONCE = 4;
/** Milliseconds of one turn of the event loop for handing large values over. */
const SLICE_MS = 1;

/**
 * Large values on their way from the disk. A thousand clients may ask for some at a time: each turn of the event loop some of
 * them get theirs. All at once they took up to 0.35 s here, in which nobody else was answered.
 */
export class LargeLoads {
  #free = AT_ONCE;
  #waiting: (() => void)[] = [];
  #calls: (() => void)[] = [];
  #scheduled = false;

  /** Resolves when one more may be read. `end` must be called when it was handed over, or could not be read. */
  async begin(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  /** Calls all of these in their order, behind those that came before, some in each turn. Resolves when all were called. */
  handOver(calls: readonly (() => void)[]): Promise<void> {
    return new Promise((resolve) => {
      this.#calls.push(...calls, resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const calls = this.#calls;
    this.#calls = [];
    const endsAt = performance.now() + SLICE_MS;
    let at = 0;
    try {
      while (at < calls.length) {
        calls[at++]!();
        if (performance.now() >= endsAt) break;
      }
    } finally {
      this.#calls = [...calls.slice(at), ...this.#calls];
      if (this.#calls.length > 0) this.#schedule();
    }
  }
}
