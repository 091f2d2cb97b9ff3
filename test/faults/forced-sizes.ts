import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../src/store/store.ts';
import { segmentName } from '../../src/store/value-log.ts';
import type { DiskImage } from './disk-image.ts';

/** Notes of segments that are forced to disk by themselves, as those with copies of values are, how long they were then: bytes by path. */
export function noteForcedSizes(store: Store): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const { values } = store;
  const sync = values.sync.bind(values);
  values.sync = async (ids) => {
    const forced = [...(ids ?? [])].map((id) => join('values', segmentName(id)));
    const now = forced.map((name): [string, number] => [name, statSync(join(store.directory, name)).size]);
    await sync(ids);
    for (const [name, size] of now) sizes.set(name, size);
  };
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
