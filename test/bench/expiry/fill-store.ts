import { ttlShift } from '../../../src/store/ttl-bucket.ts';
import { Store } from '../../../src/store/store.ts';
import { NAME_BYTES, ValuePool, writeName } from '../load/items.ts';
import { Random } from '../load/random.ts';

/** Staged bytes from which on the commit is waited for. */
const STAGED_BYTES = 4 * 2 ** 20;
const DAY_SECONDS = 86_400;

/** The key of item `id`; neighbouring ids are far apart in the order of keys. */
export function keyOf(id: number): string {
  const name = Buffer.alloc(NAME_BYTES);
  writeName(name, 0, id);
  return `item:${name.toString('latin1')}`;
}

/**
 * Fills an empty directory with items 0 to `count` through the store itself: every second one for ever, the others with 2 to 30 days
 * to live, so that the index is as large as the store.
 */
export async function fillStore(directory: string, count: number, valueBytes: number): Promise<void> {
  const store = await Store.open(directory, { blockCacheBytes: 16 * 2 ** 20, syncEveryBatch: false, onFailed: () => undefined });
  const pool = new ValuePool(1);
  const random = new Random(2);
  const storedAt = Math.floor(Date.now() / 1000);
  try {
    for (let id = 0; id < count; id += 1) {
      const value = Buffer.allocUnsafe(valueBytes);
      pool.writeValue(value, 0, valueBytes, id, random);
      const ttl = id % 2 === 0 ? 0 : 2 * DAY_SECONDS + random.below(28 * DAY_SECONDS);
      store.put(keyOf(id), undefined, {
        flags: 0,
        expiresAt: ttl === 0 ? 0 : storedAt + ttl,
        storedAt,
        cas: store.nextCas(),
        ttlShift: ttl === 0 ? 0 : ttlShift(ttl),
        bits: 0,
        chosenCas: undefined,
        length: valueBytes,
        place: undefined,
        value,
      });
      if (store.pendingBytes > STAGED_BYTES) await store.inLevel();
    }
    await store.inLevel();
  } finally {
    await store.close();
  }
}
