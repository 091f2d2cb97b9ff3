import { readdirSync, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { acknowledged, killed, newItem, openStore } from '../support/open-store.ts';
import { withTempDirectory } from '../support/temp-directory.ts';

/** So large that the value goes to the value log. */
const LARGE = 1000;

afterEach(() => vi.restoreAllMocks());

/** Names of the files that are forced to disk from now on, in order. */
async function forcedFiles(): Promise<string[]> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const forced: string[] = [];
  const datasync: typeof handle.datasync = Reflect.get(prototype, 'datasync');
  vi.spyOn(prototype, 'datasync').mockImplementation(function noting(this: typeof handle) {
    forced.push(basename(readlinkSync(`/proc/self/fd/${this.fd}`)));
    return datasync.call(this);
  });
  return forced;
}

/** A store that was killed when its last writes were acknowledged, in two segments, and not forced to disk. */
async function killedStore(parent: string): Promise<string> {
  const directory = join(parent, 'store');
  const store = await openStore(directory, { segmentBytes: 4 * LARGE });
  for (let i = 0; i < 6; i++) {
    store.put(`key ${i}`, undefined, newItem(store, LARGE));
    await acknowledged(store);
  }
  const left = await killed(directory);
  await store.close();
  return left;
}

function segmentsOf(directory: string): string[] {
  return readdirSync(join(directory, 'values')).toSorted();
}

async function withKilled(test: (directory: string, forced: string[]) => Promise<Store>): Promise<void> {
  await withTempDirectory(async (parent) => {
    const directory = await killedStore(parent);
    expect(segmentsOf(directory)).toHaveLength(2);
    const forced = await forcedFiles();
    const store = await test(directory, forced);
    vi.restoreAllMocks();
    await store.close();
  });
}

const values = (names: readonly string[]): string[] => names.filter((name) => name.endsWith('.values'));

// What a killed process had not forced to disk counted as forced when it was opened: sync said OK for values that were in memory alone.
it('the first sync after a kill forces to disk what the killed process wrote, the next one does not', () =>
  withKilled(async (directory, forced) => {
    const found = segmentsOf(directory);
    const store = await openStore(directory);
    expect(values(forced)).toEqual([]);
    await store.sync();
    expect(values(forced)).toEqual(found);
    await store.sync();
    expect(values(forced)).toEqual(found);
    return store;
  }));

it('a store that forces every batch to disk begins with what a killed process wrote, before anything is acknowledged', () =>
  withKilled(async (directory, forced) => {
    const found = segmentsOf(directory);
    const store = await openStore(directory, { syncEveryBatch: true });
    expect(values(forced)).toEqual(found);
    return store;
  }));

it('a sync leaves out what a killed process wrote and was removed since', () =>
  withKilled(async (directory, forced) => {
    const [first, second] = segmentsOf(directory);
    const store = await openStore(directory);
    const items = await store.fetch(['key 0', 'key 1', 'key 2']);
    for (const [i, item] of items.entries()) if (item?.place?.segment === Number.parseInt(first!, 10)) store.remove(`key ${i}`, item);
    await store.removeEmpty();
    expect(segmentsOf(directory)).toEqual([second]);
    await store.sync();
    expect(values(forced)).toEqual([second]);
    return store;
  }));
