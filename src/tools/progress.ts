import { formatAmount } from './amounts.ts';

/** Milliseconds between two looks of a person. */
const INTERVAL_MS = 200;

/** What a terminal must have for progress to be shown on it. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Tells a person at a terminal how far a long run is, on one line of stderr that is wiped at the end. */
export class Progress {
  readonly #terminal: Terminal | undefined;
  readonly #what: string;
  readonly #total: number | undefined;
  readonly #startedMs = performance.now();
  #shownMs = Number.NEGATIVE_INFINITY;
  #isShown = false;

  /** `total` is how many items are expected; undefined = unknown. */
  constructor(terminal: Terminal, what: string, total?: number) {
    this.#terminal = terminal.isTTY === true ? terminal : undefined;
    this.#what = what;
    this.#total = total;
  }

  /** Says how much is done, if it is time to say so. */
  show(items: number, bytes: number): void {
    const seconds = Math.max(0.001, (performance.now() - this.#startedMs) / 1000);
    const share = this.#total === undefined || this.#total === 0 ? '' : ` (${Math.min(100, Math.floor((items / this.#total) * 100))} %)`;
    this.tell(`${items} items${share}, ${formatAmount(bytes)}, ${Math.round(items / seconds)} items/s, ${formatAmount(bytes / seconds)}/s`);
  }

  /** The same where it is not items that are done. */
  tell(words: string): void {
    if (this.#terminal === undefined) return;
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < INTERVAL_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    this.#terminal.write(`\r\u001B[K${this.#what}: ${words}`);
  }

  /** Wipes the line. */
  end(): void {
    if (this.#isShown) this.#terminal?.write('\r\u001B[K');
    this.#isShown = false;
  }
}
