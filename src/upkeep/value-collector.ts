import type { Residency } from '../cache/residency.ts';
import type { Store } from '../store/store.ts';
import { valueOfRecord } from '../store/value-record.ts';
import { recordsOf } from './segment-walk.ts';

/** A segment is rewritten when at least this share of it is dead: half makes each byte be copied about once. */
const DEAD_SHARE = 0.5;
/** Seconds: a segment whose values all expire within this time is left to expire. */
const SOON = 120;

/**
 * Gives back the space of dead values in segments of the value log that still hold live ones: copies
 * the live ones to the end of the log, so that the segment empties and is removed. A value moves only
 * if its item still points to it at that very moment.
 */
export class ValueCollector {
  readonly #residency: Residency;
  readonly #store: Store;
  #running = false;
  /** Since the process started: segments rewritten, bytes copied. */
  readonly done: { segments: number; bytes: number } = { segments: 0, bytes: 0 };

  constructor(residency: Residency, store: Store) {
    this.#residency = residency;
    this.#store = store;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The segment that gives back most, or undefined when none is worth it. */
  candidate(now: number): number | undefined {
    const { values, segments } = this.#store;
    let best: number | undefined;
    let bestShare = DEAD_SHARE;
    for (const id of values.ids()) {
      const size = values.size(id);
      const use = segments.use(id);
      if (!values.isSealed(id) || use.liveItems <= 0 || use.latestExpiry <= now + SOON) continue;
      const share = 1 - use.liveBytes / size;
      if (share >= bestShare) {
        best = id;
        bestShare = share;
      }
    }
    return best;
  }

  /** Rewrites segments while there are any worth it. */
  async run(now: () => number, signal: AbortSignal): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let id = this.candidate(now()); id !== undefined && !signal.aborted; id = this.candidate(now())) {
        const before = this.#store.segments.use(id).liveBytes;
        await this.#rewrite(id, signal);
        await this.#store.sync();
        this.done.segments++;
        // A damaged record hides what follows it; do not come back to such a segment for ever.
        if (this.#store.segments.use(id).liveBytes >= before) return;
      }
    } finally {
      this.#running = false;
    }
  }

  async #rewrite(id: number, signal: AbortSignal): Promise<void> {
    for await (const records of recordsOf(this.#store.values, id)) {
      if (signal.aborted) return;
      await this.#residency.withKnown(
        records.map(({ key }) => key),
        () => {
          for (const { key, offset, record } of records) {
            const item = this.#residency.currentOf(key);
            if (item?.place?.segment !== id || item.place.offset !== offset) continue;
            const value = valueOfRecord(record, key);
            if (value === undefined) continue;
            this.#residency.moved(key, this.#store.relocate(key, item, value));
            this.done.bytes += record.length;
          }
        },
      );
      if (this.#store.hasPending) await this.#store.committed();
    }
  }
}
