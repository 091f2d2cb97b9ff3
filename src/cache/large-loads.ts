import type { SlicedQueue } from '../sliced-queue.ts';

/** Values above this are large: what is done with one takes a millisecond for each megabyte or two. */
export const LARGE_LOAD_BYTES: number = 128 * 1024;
/** So many large values are being read, or handed to who waited for them: they are in memory, and nobody has accounted for them yet. */
const AT_ONCE = 4;

/**
 * Large values on their way from the disk. A thousand clients may ask for some at a time: each turn of the event loop some of
 * them get theirs. All at once they took up to 0.35 s here, in which nobody else was answered.
 */
export class LargeLoads {
  #free = AT_ONCE;
  #waiting: (() => void)[] = [];
  readonly #calls: SlicedQueue;

  /** `calls` is the line in which they wait to be handed over. */
  constructor(calls: SlicedQueue) {
    this.#calls = calls;
  }

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
      for (const call of calls) this.#calls.addBegun(call);
      this.#calls.addBegun(resolve);
    });
  }
}
