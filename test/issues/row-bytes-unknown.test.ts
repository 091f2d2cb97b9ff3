import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/item.ts';
import { itemRowBytes } from '../../src/store/item-row.ts';
import { STATE_KEY } from '../../src/store/keys.ts';
import { Findings } from '../../src/tools/findings.ts';
import { repairInPlace } from '../../src/tools/repair-in-place.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { tamper } from '../tools/dumps.ts';

/** Fields of the state row before bytes of rows were counted. */
const OLD_FIELDS = 15;
/** Longer than those by which the guess goes. */
const KEYS = Array.from({ length: 20 }, (_, i) => `${'k'.repeat(200)}${i}`);

/** A store with values in segments under long keys, as a version wrote it that did not count bytes of rows. */
async function oldStore(): Promise<string> {
  const directory = tempDirectory();
  const open = await OpenCache.open(directory);
  for (const key of KEYS) await open.set(key, bytesOf(1000, 1));
  await open.close();
  await tamper(directory, async (db) => await db.put(STATE_KEY, (await db.get(STATE_KEY))!.subarray(0, OLD_FIELDS * 8)));
  return directory;
}

function rowBytesOf(items: ReadonlyMap<string, Item>): number {
  return [...items].reduce((sum, [key, item]) => sum + itemRowBytes(key, item), 0);
}

// They were guessed once and counted on from there: below zero in the end, which is a damaged state row.
describe('a store of a version that did not count bytes of rows', () => {
  it('can be emptied and opened again, and counts them from then on', async () => {
    const open = await OpenCache.open(await oldStore());
    for (const key of KEYS) expect(await open.delete(key)).toBe('deleted');
    await open.reopen();
    expect(open.store.state).toMatchObject({ items: 0, rowBytes: 0 });
    await open.set('k', bytesOf(10, 1));
    await open.set('k', bytesOf(20, 1));
    await open.set('large', bytesOf(1000, 1));
    await open.close();
    const { items, state } = await checkStore(open.directory);
    expect(items.size).toBe(2);
    expect(state.rowBytes).toBe(rowBytesOf(items));
  });

  it('has them counted by a repair', async () => {
    const directory = await oldStore();
    await repairInPlace(directory, new Findings(10));
    const { items, state } = await checkStore(directory);
    expect(items.size).toBe(KEYS.length);
    expect(state.rowBytes).toBe(rowBytesOf(items));
  });

  it('has a guess at them as long as something of old is there, and says that it does not know', async () => {
    const open = await OpenCache.open(await oldStore());
    const before = open.store.rowBytes;
    expect(before).toBeGreaterThan(0);
    await open.delete(KEYS[0]!);
    expect(open.store.rowBytes).toBeLessThan(before);
    for (let i = 0; i < 50; i++) await open.set(`new${i}`, bytesOf(100, 1));
    expect(open.store.rowBytes).toBeGreaterThan(before + 50 * 100);
    await open.close();
    expect((await checkStore(open.directory)).state.rowBytes).toBe(0);
  });
});
