import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ItemCursor } from '../../src/store/item-cursor.ts';
import { failNextWrite } from '../issues/held-writes.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

let open: OpenCache;

beforeEach(async () => {
  open = await OpenCache.open(tempDirectory());
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await open.close();
});

/** Stores items under these keys, on disk. */
async function store(...keys: readonly string[]): Promise<void> {
  for (const key of keys) await open.set(key, bytesOf(10, 1));
  await open.store.inLevel();
}

async function next(cursor: ItemCursor, limit: number): Promise<string[]> {
  const { found } = await cursor.next(limit);
  return found.map(({ key }) => key);
}

describe('ItemCursor', () => {
  it('reads on with the same iterator, in the state of its first call', async () => {
    await store('a', 'b', 'd');
    const iterators = vi.spyOn(ClassicLevel.prototype, 'iterator');
    const cursor = open.store.cursor();
    expect(await next(cursor, 2)).toEqual(['a', 'b']);
    await store('c');
    expect(await next(cursor, 2)).toEqual(['d']);
    expect(iterators).toHaveBeenCalledTimes(1);
    await cursor.close();
  });

  it('says where it goes on, and nothing at the end', async () => {
    await store('a', 'b');
    const cursor = open.store.cursor();
    expect((await cursor.next(2)).next).toBe('b');
    expect(await cursor.next(2)).toEqual({ found: [], next: undefined });
    await cursor.close();
  });

  it('reads more rows than it takes from LevelDB at once', async () => {
    const keys = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    await store(...keys);
    const cursor = open.store.cursor();
    expect([...(await next(cursor, 299)), '|', ...(await next(cursor, 299))]).toEqual([...keys.slice(0, 299), '|', 'k299']);
    await cursor.close();
  });

  it('goes on after it was closed, in the state of then', async () => {
    await store('a', 'b', 'd');
    const cursor = open.store.cursor();
    await next(cursor, 2);
    await store('a2', 'c');
    await cursor.close();
    expect(await next(cursor, 9)).toEqual(['c', 'd']);
    await cursor.close();
  });

  it('lets go of its iterator after 100 ms whether it is asked again or not, and goes on all the same', async () => {
    await store('a', 'b', 'd');
    const iterators = vi.spyOn(ClassicLevel.prototype, 'iterator');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const cursor = open.store.cursor();
    await next(cursor, 2);
    vi.advanceTimersByTime(99);
    const [iterator] = iterators.mock.results.map(({ value }) => value);
    const closed = vi.spyOn(iterator, 'close');
    vi.advanceTimersByTime(1);
    await store('c');
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
    expect(await next(cursor, 9)).toEqual(['c', 'd']);
    await cursor.close();
  });

  it('lets go of an iterator that grew old during a call at the end of that', async () => {
    await store('a', 'b', 'd');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const cursor = open.store.cursor();
    const under = next(cursor, 2);
    vi.advanceTimersByTime(100);
    expect(await under).toEqual(['a', 'b']);
    await store('c');
    expect(await next(cursor, 9)).toEqual(['c', 'd']);
    await cursor.close();
  });

  it('goes on after LevelDB was opened anew', async () => {
    await store('a', 'b');
    const cursor = open.store.cursor();
    await next(cursor, 1);
    failNextWrite();
    await open.set('lost', bytesOf(10, 1));
    await open.store.inLevel().catch(() => undefined);
    await open.store.reopen();
    await store('c');
    expect(await next(cursor, 9)).toEqual(['b', 'c']);
    await cursor.close();
  });
});
