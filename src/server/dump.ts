import type { Cache } from '../cache/cache.ts';
import { cachedumpLine, metadumpLine, mgdumpLine } from '../protocol/dump-lines.ts';
import { KEY_MAX_LENGTH } from '../protocol/limits.ts';
import type { Store, StoredItem } from '../store/store.ts';
import { liveItems } from '../upkeep/item-listing.ts';

/** Bytes of the longest reply to `stats cachedump`, as in memcached. */
const CACHEDUMP_BYTES = 2 * 2 ** 20;
const END = 'END\r\n';

/**
 * The commands that list every item: `lru_crawler metadump` and `mgdump`, `stats cachedump`. Items are not
 * sorted into classes, so each list has all of them.
 *
 * The replies of the first two come a page at a time: the next one is read when it is asked for, so memory
 * is bounded whatever the store's size, and whoever stops asking has nothing to give back (item-cursor.ts).
 */
export class Dump {
  readonly #cache: Cache;
  readonly #store: Store;

  constructor(cache: Cache, store: Store) {
    this.#cache = cache;
    this.#store = store;
  }

  /** The whole reply to `lru_crawler metadump`. */
  metadump(): AsyncGenerator<Buffer, void, undefined> {
    const { residency } = this.#cache;
    const bytes = Buffer.allocUnsafe(KEY_MAX_LENGTH);
    return this.#dump(END, ({ key, item }) => {
      const range = { buffer: bytes, start: 0, end: bytes.write(key, 'latin1') };
      const last = this.#cache.lastAccess(residency.hash(bytes, 0, range.end), range);
      return metadumpLine(key, item, {
        lastAccess: Math.max(last, item.storedAt),
        isFetched: last !== 0,
        size: this.#cache.sizeOf(key.length, item.flags, item.length),
        cas: this.#cache.shownCas(item),
      });
    });
  }

  /** The whole reply to `lru_crawler mgdump`. */
  mgdump(): AsyncGenerator<Buffer, void, undefined> {
    return this.#dump('EN\r\n', ({ key, item }) => mgdumpLine(key, item));
  }

  /** The whole reply to `stats cachedump` for the class that all items are in, as a latin1 string; `limit` 0 = as many as fit. */
  async cachedump(limit: number): Promise<string> {
    const lines: string[] = [];
    let length = END.length + 1;
    for await (const page of liveItems(this.#cache, this.#store)) {
      for (const { key, item } of page) {
        const line = cachedumpLine(key, item);
        if (line === undefined) continue;
        length += line.length;
        if (length > CACHEDUMP_BYTES) return lines.join('') + END;
        lines.push(line);
        if (lines.length === limit) return lines.join('') + END;
      }
    }
    return lines.join('') + END;
  }

  async *#dump(end: string, lineOf: (stored: StoredItem) => string): AsyncGenerator<Buffer, void, undefined> {
    yield Buffer.from('OK\r\n');
    for await (const page of liveItems(this.#cache, this.#store)) {
      if (page.length > 0) yield Buffer.from(page.map(lineOf).join(''), 'latin1');
    }
    yield Buffer.from(end);
  }
}
