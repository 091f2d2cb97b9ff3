import type { Cache } from '../cache/cache.ts';
import { isExpired } from '../cache/exptime.ts';
import type { Store, StoredItem } from '../store/store.ts';

/** Items read at once: enough to share the cost of a LevelDB iterator; more was no faster and held the event loop for longer than 1 ms. */
const PAGE_ITEMS = 128;

/**
 * All items that are neither expired nor flushed, a page at a time: those in memory alone, oldest first, then those on
 * disk in key order. Between pages nothing is held for long, so the reader may take all the time it wants, or stop. What was
 * staged before the first page is asked for is seen.
 *
 * An item that is there throughout comes exactly once. One that is stored anew, or goes, meanwhile comes
 * once or not at all, in its old state or its new one.
 *
 * @throws what LevelDB says when the store is closed, or opened anew after a failed write
 */
export async function* liveItems(cache: Cache, store: Store): AsyncGenerator<readonly StoredItem[], void, undefined> {
  if (store.ephemeral === undefined) {
    yield* storedItems(cache, store);
    return;
  }
  const upToCas = store.state.cas;
  const walk = store.ephemeral.walk(upToCas);
  try {
    for (let page = walk.next(PAGE_ITEMS); page.length > 0; page = walk.next(PAGE_ITEMS)) {
      const now = cache.now();
      const { flushCas } = store.state;
      yield page.filter(({ item }) => item.cas > flushCas && !isExpired(item, now));
    }
    // What came before and is on disk now, as it was or stored anew, must not come twice.
    for await (const page of storedItems(cache, store)) yield page.filter(({ key, item }) => item.cas <= upToCas && !walk.moved.has(key));
  } finally {
    walk.end();
  }
}

async function* storedItems(cache: Cache, store: Store): AsyncGenerator<readonly StoredItem[], void, undefined> {
  let now = -1;
  const cursor = store.cursor();
  try {
    for (let isOver = false; !isOver;) {
      const clock = cache.now();
      if (clock !== now) {
        // A touch that is on its way must be read before the expiry time that it replaces counts as over.
        now = clock;
        await settled(store);
        await cursor.close();
      }
      const { found, next } = await cursor.next(PAGE_ITEMS);
      isOver = next === undefined;
      const { flushCas } = store.state;
      yield found.filter(({ item }) => item.cas > flushCas && !isExpired(item, now));
    }
  } finally {
    await cursor.close();
  }
}

/** Resolves when what is staged is on disk, or is lost: then what is on disk counts. */
async function settled(store: Store): Promise<void> {
  if (store.hasPending) await store.inLevel().catch(() => undefined);
}
