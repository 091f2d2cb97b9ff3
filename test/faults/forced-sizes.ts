import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../src/store/store.ts';
import { segmentName } from '../../src/store/value-log.ts';
import type { DiskImage } from './disk-image.ts';

/**
 * Notes of files that are forced to disk by themselves how long they were then: segments with copies of values, and LevelDB's logs before
 * empty segments are removed. Bytes by path.
 */
export function noteForcedSizes(store: Store): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const noting = async (names: readonly string[], force: () => Promise<void>): Promise<void> => {
    const now = names.map((name): [string, number] => [name, statSync(join(store.directory, name)).size]);
    await force();
    for (const [name, size] of now) sizes.set(name, size);
  };
  const { values } = store;
  const sync = values.sync.bind(values);
  values.sync = (ids) => noting([...(ids ?? [])].map((id) => join('values', segmentName(id))), () => sync(ids));
  const removeEmpty = store.removeEmpty.bind(store);
  store.removeEmpty = () => noting(readdirSync(store.directory).filter((name) => name.endsWith('.log')), removeEmpty);
  return sizes;
}

/** What was forced to disk of files, where more of some of them was than in `synced`. */
export function withForced(synced: DiskImage, written: DiskImage, sizes: ReadonlyMap<string, number>): DiskImage {
  const all = new Map(synced);
  for (const [name, size] of sizes) {
    const bytes = written.get(name);
    if (bytes !== undefined && size > (synced.get(name)?.length ?? 0)) all.set(name, bytes.subarray(0, size));
  }
  return all;
}
