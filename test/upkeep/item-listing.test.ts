import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { liveItems } from '../../src/upkeep/item-listing.ts';
import { failNextWrite, holdNextWrite } from '../issues/held-writes.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

/** All that is listed; `between` runs after each page. */
async function list(open: OpenCache, between: () => Promise<void> | void = () => undefined): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of liveItems(open.cache, open.store)) {
    keys.push(...page.map(({ key }) => key));
    await between();
  }
  return keys;
}

/** Stores items until they take more than one page, and returns their keys. */
async function fill(open: OpenCache, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `k${String(i).padStart(4, '0')}`);
  for (const key of keys) await open.set(key, bytesOf(key.endsWith('7') ? 400 : 10, 1));
  await open.store.inLevel();
  return keys;
}

describe('liveItems()', () => {
  it('lists nothing in an empty store', async () => {
    const open = await OpenCache.open(tempDirectory());
    expect(await list(open)).toEqual([]);
    await open.close();
  });

  it.each([1, 127, 128, 129, 1000])('lists each of %i items once, in key order', async (count) => {
    const open = await OpenCache.open(tempDirectory());
    const keys = await fill(open, count);
    expect(await list(open)).toEqual(keys);
    await open.close();
  });

  it('sees what was staged before it was asked', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('k', bytesOf(10, 1));
    expect(open.store.hasPending).toBe(true);
    expect(await list(open)).toEqual(['k']);
    await open.close();
  });

  it('leaves out what has expired, what was flushed and what was deleted', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('flushed', bytesOf(10, 1));
    open.cache.flushAll(0);
    await open.set('expired', bytesOf(10, 1), 5);
    await open.set('deleted', bytesOf(10, 1));
    await open.set('lives', bytesOf(10, 1), 6);
    await open.delete('deleted');
    open.clock.advance(5);
    expect(await list(open)).toEqual(['lives']);
    await open.close();
  });

  it('takes note of the time, and of a flush_all, between pages', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, 300);
    await open.set('z expires', bytesOf(10, 1), 5);
    await open.store.inLevel();
    expect(await list(open, () => open.clock.advance(5))).not.toContain('z expires');
    expect(await list(open, () => open.cache.flushAll(0))).toHaveLength(128);
    await open.close();
  });

  it('lists an item that was touched in time, though the touch is not committed when its old expiry time comes', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, 128);
    await open.set('z', bytesOf(10, 1), 5);
    await open.store.inLevel();
    open.clock.advance(4);
    let pages = 0;
    const keys = await list(open, async () => {
      if (pages++ > 0) return;
      const write = holdNextWrite();
      await open.touch('z', 100);
      await write.begun;
      open.clock.advance(1);
      setImmediate(() => write.release());
    });
    expect(keys).toContain('z');
    await open.close();
  });

  it('lists what is on disk while writes are refused', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('written', bytesOf(10, 1));
    await open.store.inLevel();
    failNextWrite();
    await open.set('lost', bytesOf(10, 1));
    expect(await list(open)).toEqual(['written']);
    expect(open.store.failure).toBeDefined();
    await open.close();
  });

  it('holds nothing when the reader stops', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, 300);
    for await (const page of liveItems(open.cache, open.store)) {
      expect(page).toHaveLength(128);
      break;
    }
    await open.close();
  });

  it('lists once what is there throughout, whatever is stored, touched and deleted meanwhile', async () => {
    const change = fc.record({ at: fc.nat(700), kind: fc.constantFrom('set', 'large', 'touch', 'delete', 'new') });
    const changes = fc.array(fc.array(change, { maxLength: 20 }), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, async (changes) => {
        const open = await OpenCache.open(tempDirectory(), 100_000);
        const keys = await fill(open, 400);
        const gone = new Set<string>();
        let page = 0;
        const listed = await list(open, async () => {
          for (const { at, kind } of changes[page++] ?? []) {
            const key = keys[at % keys.length]!;
            if (kind === 'delete') {
              gone.add(key);
              await open.delete(key);
            } else if (kind === 'touch') await open.touch(key, at + 1);
            else await open.set(kind === 'new' ? `${key}+` : key, bytesOf(kind === 'large' ? 2000 : 20, at));
          }
        });
        expect(new Set(listed).size).toBe(listed.length);
        const there = new Set(listed);
        expect(keys.filter((key) => !gone.has(key) && !there.has(key))).toEqual([]);
        await open.close();
      }),
      { numRuns: 15 },
    );
  });

  it('lists what is in memory alone once too, though it is touched, deleted, stored anew or goes to the disk meanwhile', async () => {
    const change = fc.record({ at: fc.nat(700), kind: fc.constantFrom('set', 'short', 'touch', 'touch', 'delete') });
    const changes = fc.array(fc.array(change, { maxLength: 20 }), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, async (changes) => {
        const open = await OpenCache.open(tempDirectory(), 100_000, undefined, undefined, { seconds: 100, limitBytes: 2 ** 20 });
        const keys = Array.from({ length: 400 }, (_, i) => `k${String((i * 37) % 400).padStart(4, '0')}`);
        for (const [i, key] of keys.entries()) await open.set(key, bytesOf(i % 9 === 0 ? 400 : 10, 1), i % 3 === 0 ? 0 : 50);
        const changed = new Set<string>();
        let page = 0;
        const listed = await list(open, async () => {
          for (const { at, kind } of changes[page++] ?? []) {
            const key = keys[at % keys.length]!;
            if (kind !== 'touch') changed.add(key);
            if (kind === 'delete') await open.delete(key);
            else if (kind === 'touch') await open.touch(key, at + 1);
            else await open.set(key, bytesOf(20, at), kind === 'short' ? 60 : 0);
          }
        });
        expect(new Set(listed).size).toBe(listed.length);
        const there = new Set(listed);
        expect(keys.filter((key) => !changed.has(key) && !there.has(key))).toEqual([]);
        await open.close();
      }),
      { numRuns: 25 },
    );
  });
});
