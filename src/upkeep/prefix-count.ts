import type { CountedPrefix, CountedPrefixes } from '../store/counted-prefixes.ts';
import type { RowSnapshot } from '../store/row-snapshot.ts';
import type { Store } from '../store/store.ts';

/** Longest rest between two pages, in milliseconds. */
const REST_MAX_MS = 100;

/**
 * Counts what was there before a prefix was counted, in the background: reads the rows of one moment, while the store
 * follows all that changes since. The count of a prefix is whole when both are together, and on disk from then on; one
 * that a restart or a failed write ends begins anew.
 *
 * Reads 256 rows at a time, and rests as long as that took.
 */
export class PrefixCount {
  readonly #store: Store;
  readonly #rest: (ms: number) => Promise<void>;
  #running = false;
  #scanned = 0;

  /** `rest` waits for so many milliseconds. */
  constructor(store: Store, rest: (ms: number) => Promise<void> = restFor) {
    this.#store = store;
    this.#rest = rest;
  }

  /** True when there is something to count. */
  get isNeeded(): boolean {
    return this.#store.counted?.all.some(({ isCounted }) => !isCounted) === true;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Items read since the process started. */
  get scanned(): number {
    return this.#scanned;
  }

  /** Runs until all is counted, or `signal` ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { counted } = this.#store;
    if (this.#running || counted === undefined) return;
    this.#running = true;
    let snapshot: RowSnapshot | undefined;
    try {
      snapshot = await this.#store.beginCount();
      const { generation } = counted;
      for (const prefix of outermost(counted)) {
        let began = performance.now();
        for await (const rows of snapshot.pages(prefix.prefix)) {
          // Opened anew: what was added is forgotten.
          if (signal.aborted || counted.generation !== generation) return;
          for (const { key, item } of rows) if (item !== undefined) counted.add(key, key.length + item.length);
          this.#scanned += rows.length;
          await this.#rest(Math.min(performance.now() - began, REST_MAX_MS));
          began = performance.now();
        }
        if (signal.aborted || counted.generation !== generation) return;
        this.#store.finishCount(prefix);
      }
      await this.#store.inLevel();
    } finally {
      await snapshot?.close();
      this.#running = false;
    }
  }
}

/** The prefixes to count that lie in no other such one: what lies in them is counted with them. */
function outermost(counted: CountedPrefixes): CountedPrefix[] {
  return counted.all.filter((prefix) => {
    if (prefix.isCounted) return false;
    let { parent } = prefix;
    while (parent !== undefined && parent.isCounted) ({ parent } = parent);
    return parent === undefined;
  });
}

function restFor(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
