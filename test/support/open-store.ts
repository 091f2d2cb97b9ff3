import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Item } from '../../src/item.ts';
import { Store, type StoreOptions } from '../../src/store/store.ts';
import { ttlShift } from '../../src/store/ttl-bucket.ts';
import { readImage, writeImage } from '../faults/disk-image.ts';
import { buildItem, bytesOf } from './build-item.ts';

/** Unix seconds at which items of `newItem` are stored. */
export const NOW = 1_700_000_000;

/** Opens a store that acknowledges what is in its log, with a small block cache. */
export function openStore(directory: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return Store.open(directory, { blockCacheBytes: 2 ** 20, syncEveryBatch: false, onFailed: () => {}, ...options });
}

/** An item as the cache would store it now. */
export function newItem(store: Store, length: number, change: Partial<Omit<Item, 'value'>> = {}): Item {
  const expiresAt = change.expiresAt ?? 0;
  const cas = store.nextCas();
  return buildItem({ value: bytesOf(length, cas), storedAt: NOW, cas, ttlShift: expiresAt === 0 ? 0 : ttlShift(expiresAt - NOW), ...change });
}

/** Resolves when clients would be told. */
export function acknowledged(store: Store): Promise<void> {
  return new Promise((resolve, reject) => store.whenCommitted({ committed: (error) => (error === undefined ? resolve() : reject(error)) }));
}

/** What a kill -9 leaves of a store, beside it: all that was given to the operating system. */
export async function killed(directory: string): Promise<string> {
  const left = `${directory}-${readdirSync(join(directory, '..')).length}`;
  writeImage(await readImage(directory), left);
  return left;
}
