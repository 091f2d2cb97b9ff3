import type { Cache } from '../cache/cache.ts';
import type { StoreSnapshot } from '../store/snapshot.ts';
import type { Store } from '../store/store.ts';
import { dumpItems } from '../tools/dump-items.ts';

/** How long a reader may leave a piece unread: a snapshot holds disk space. */
const STALL_MS = 60_000;

/**
 * The control command `expire dump`: all items as they were at one moment, in the format of `tugela-ts store dump`,
 * while writes go on. The next piece is read when it is asked for, so memory is bounded whatever the store's
 * size. A reader that stands still for long is given up.
 */
export class SnapshotDump {
  readonly #cache: Cache;
  readonly #store: Store;
  readonly #stallMs: number;
  #running = 0;

  constructor(cache: Cache, store: Store, stallMs: number = STALL_MS) {
    this.#cache = cache;
    this.#store = store;
    this.#stallMs = stallMs;
  }

  /** Dumps under way. */
  get running(): number {
    return this.#running;
  }

  /** The whole dump of the keys that begin with `prefix` (latin1). Whoever stops asking must call `return`, as `for await` does. */
  async *stream(prefix: string): AsyncGenerator<Buffer, void, undefined> {
    // What was acknowledged from memory is a part of now. If it cannot be written, what is on disk counts.
    if (this.#store.hasPending) await this.#store.inLevel().catch(() => undefined);
    // First, since it may make a flush take effect.
    const now = this.#cache.now();
    const { flushCas } = this.#store.state;
    const snapshot = this.#store.snapshot();
    this.#running++;
    try {
      for await (const chunk of dumpItems(snapshot, { prefix, now, flushCas })) {
        const stall = new Stall(snapshot, this.#stallMs);
        try {
          yield chunk;
        } finally {
          stall.end();
        }
        if (stall.isOver) throw new Error('the reader of a dump stood still for too long');
      }
    } finally {
      this.#running--;
      await snapshot.close();
    }
  }
}

/** Closes a snapshot when nobody comes back for the next piece. */
class Stall {
  readonly #timer: NodeJS.Timeout;
  isOver = false;

  constructor(snapshot: StoreSnapshot, limitMs: number) {
    this.#timer = setTimeout(() => {
      this.isOver = true;
      void snapshot.close();
    }, limitMs).unref();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
