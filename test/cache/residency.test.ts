import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Item } from '../../src/item.ts';
import { PlaceTable } from '../../src/ram/place-table.ts';
import { Store } from '../../src/store/store.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

/** Has the absence of a key in memory, as after a delete by a client. */
function rememberAbsent({ residency }: OpenCache, key: string): void {
  const bytes = Buffer.from(key);
  residency.remember(residency.hash(bytes, 0, bytes.length), bytes, 0, bytes.length, key, undefined, 0);
}

function isInRam({ residency }: OpenCache, key: string): boolean {
  const bytes = Buffer.from(key);
  return residency.ram.find(residency.hash(bytes, 0, bytes.length), bytes, 0, bytes.length) >= 0;
}

interface HeldRead<A extends readonly unknown[], T> {
  readonly read: (...asked: A) => Promise<T>;
  /** Resolves when the answer is there. */
  readonly isRead: Promise<void>;
  /** Lets the answer out. */
  release(): void;
}

/** A read that answers what was there when it was asked, but not before it is released. */
function held<A extends readonly unknown[], T>(read: (...asked: A) => Promise<T>): HeldRead<A, T> {
  let tell = (): void => undefined;
  let release = (): void => undefined;
  const isRead = new Promise<void>((resolve) => (tell = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  return {
    read: async (...asked) => {
      const answer = await read(...asked);
      tell();
      await released;
      return answer;
    },
    isRead,
    release,
  };
}

describe('Residency.withKnown', () => {
  it.each(['at once', 'meanwhile'])('runs its step even when what was resident is committed and gone, the rest read %s', async (how) => {
    const open = await OpenCache.open(tempDirectory(), 0);
    if (how === 'meanwhile') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    await open.set('a', bytesOf(5000, 1));
    await open.set('b', bytesOf(5000, 2));
    await open.store.inLevel();
    // Staged without its value: resident as long as the batch is not written.
    await open.touch('b', 100);
    const seen = await open.residency.withKnown(['a', 'b'], () => [open.residency.currentOf('a')?.length, open.residency.currentOf('b')?.length]);
    expect(seen).toEqual([5000, 5000]);
    await open.close();
  });

  it('does not wait where rows can be read at once', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('a', bytesOf(5000, 1));
    await open.store.inLevel();
    const fetch = vi.spyOn(open.store, 'fetch');
    let ran = false;
    void open.residency.withKnown(['a', 'absent'], () => {
      ran = true;
      expect(open.residency.currentOf('a')?.length).toBe(5000);
      expect(open.residency.currentOf('absent')).toBeNull();
    });
    expect(ran).toBe(true);
    expect(fetch).not.toHaveBeenCalled();
    await open.close();
  });

  // What the step stored pushed later keys out of a small RAM tier, and they were taken for absent.
  it.each(['at once', 'meanwhile'])('has all keys, read %s, at hand throughout the step, whatever it stores', async (how) => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    if (how === 'meanwhile') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    const keys = Array.from({ length: 128 }, (_, i) => `k${i}`);
    for (const key of keys) await open.set(key, bytesOf(key.endsWith('7') ? 700 : 8, 1));
    await open.store.inLevel();
    const others = Array.from({ length: 2000 }, (_, i) => `other${i}`);
    const seen = await open.residency.withKnown(keys, () => {
      for (const other of others) rememberAbsent(open, other);
      return keys.filter((key) => open.residency.currentOf(key)?.length !== undefined);
    });
    expect(seen).toEqual(keys);
    await open.close();
  });

  it('shows a change to who looks again within the step', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.inLevel();
    const seen = await open.residency.withKnown(['k', 'k'], () => {
      open.store.remove('k', open.residency.currentOf('k')!);
      open.residency.gone('k');
      return open.residency.currentOf('k');
    });
    expect(seen).toBeNull();
    await open.close();
    await checkStore(open.directory);
  });
});

describe('Residency.itemsOf', () => {
  const VALUE = bytesOf(1000, 1);

  it.each([
    { where: 'in memory', ramBytes: 4 * 2 ** 20, mayRead: true },
    { where: 'in memory, in part', ramBytes: 100_000, mayRead: true },
    { where: 'on disk', ramBytes: 0, mayRead: true },
    { where: 'on disk, to be loaded', ramBytes: 0, mayRead: false },
  ])('tells the items of records, where they are $where', async ({ ramBytes, mayRead }) => {
    const open = await OpenCache.open(tempDirectory(), ramBytes);
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    for (const key of keys) await open.set(key, VALUE);
    await open.store.inLevel();
    const places = (await open.store.fetch(keys)).map((item) => item!.place!);
    // What becomes of an item: nothing, a new value, a small one, none at all.
    for (let i = 1; i < keys.length; i += 4) await open.set(keys[i]!, VALUE);
    for (let i = 2; i < keys.length; i += 4) await open.set(keys[i]!, bytesOf(1, 1));
    for (let i = 3; i < keys.length; i += 4) await open.delete(keys[i]!);
    await open.store.inLevel();
    if (!mayRead) vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    const records = keys.map((key, i) => ({ key, offset: places[i]!.offset }));
    const { segment } = places[0]!;
    const seen = await open.residency.itemsOf(segment, records, (items) => [...items]);
    expect(seen.map((item) => item?.place)).toEqual(keys.map((_, i) => (i % 4 === 0 ? places[i] : undefined)));
    expect(seen.map((item) => item?.value)).toEqual(keys.map(() => undefined));
    expect(await open.residency.itemsOf(segment + 1, records, (items) => items.filter((item) => item !== undefined))).toEqual([]);
    await open.close();
  });

  it('runs its step at once where rows can be read at once', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('k', VALUE);
    await open.store.inLevel();
    let isOver = false;
    void open.residency.itemsOf(1, [{ key: 'k', offset: 0 }], () => (isOver = true));
    expect(isOver).toBe(true);
    await open.close();
  });
});

describe('Residency.moved', () => {
  it('has who asks find a value where it is now', async () => {
    const open = await OpenCache.open(tempDirectory());
    for (const key of ['a', 'b']) await open.set(key, bytesOf(1000, 1));
    await open.store.inLevel();
    const [a, b] = await open.store.fetch(['a', 'b']);
    const place = { ...a!.place!, segment: 77 };
    open.residency.moved('a', { ...a!, place }, a!.place!);
    expect([open.residency.currentOf('a')?.place, open.residency.currentOf('b')?.place]).toEqual([place, b!.place]);
    // Not at the place that it came from: nothing is known of it.
    open.residency.moved('b', { ...b!, place }, { ...b!.place!, offset: 1 });
    expect(open.residency.currentOf('b')?.place).toEqual(b!.place);
    await open.close();
  });
});

describe('Residency.gone', () => {
  it('leaves what is in use in memory, however much goes', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.inLevel();
    for (let i = 0; i < 2000; i++) open.residency.gone(`other${i}`);
    expect(isInRam(open, 'k')).toBe(true);
    for (let i = 0; i < 2000; i++) rememberAbsent(open, `other${i}`);
    expect(isInRam(open, 'k')).toBe(false);
    await open.close();
  });

  it('says at once and later that the key has no item', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.inLevel();
    open.store.remove('k', open.residency.currentOf('k')!);
    open.residency.gone('k');
    expect(await open.get('k')).toBeUndefined();
    await open.store.inLevel();
    expect(await open.get('k')).toBeUndefined();
    await open.close();
  });

  describe('while the key is being read', () => {
    /** A cache whose only item is on disk and in no memory, and what is known of it there. */
    async function onDisk(): Promise<{ open: OpenCache; item: Item }> {
      const open = await OpenCache.open(tempDirectory(), 60_000);
      await open.set('k', bytesOf(5000, 1));
      await open.store.inLevel();
      await open.reopen();
      const [item] = await open.store.fetch(['k']);
      expect(isInRam(open, 'k')).toBe(false);
      return { open, item: item! };
    }

    /** Deletes the item, on disk too: nothing but who reads it can know of it any more. */
    async function go({ store, residency }: OpenCache, item: Item): Promise<void> {
      store.remove('k', item);
      residency.gone('k');
      await store.inLevel();
      expect(store.pending('k')).toBeUndefined();
    }

    /** What is known of the key once it is loaded. */
    function load({ residency }: OpenCache, value: boolean): Promise<Item | null | undefined> {
      return new Promise((resolve) => residency.load([{ key: 'k', value }], () => resolve(residency.currentOf('k'))));
    }

    it.each([
      ['row', false],
      ['row and value', true],
    ])('its %s as it was reaches neither who waits nor memory', async (_what, value) => {
      const { open, item } = await onDisk();
      const row = held(open.store.fetch.bind(open.store));
      vi.spyOn(open.store, 'fetch').mockImplementationOnce(row.read);
      const loaded = load(open, value);
      await row.isRead;
      await go(open, item);
      row.release();
      expect(await loaded).toBeNull();
      expect(await open.get('k')).toBeUndefined();
      await open.close();
      await checkStore(open.directory);
    });

    it('its value as it was reaches neither who waits nor memory, though its row was known', async () => {
      const { open, item } = await onDisk();
      const value = held(open.store.readValue.bind(open.store));
      vi.spyOn(open.store, 'readValue').mockImplementationOnce(value.read);
      const loaded = load(open, true);
      await value.isRead;
      await go(open, item);
      value.release();
      expect(await loaded).toBeNull();
      expect(await open.get('k')).toBeUndefined();
      await open.close();
      await checkStore(open.directory);
    });

    it('who came before it went and who comes after are told the same', async () => {
      const { open, item } = await onDisk();
      const row = held(open.store.fetch.bind(open.store));
      vi.spyOn(open.store, 'fetch').mockImplementationOnce(row.read);
      const before = load(open, true);
      await row.isRead;
      await go(open, item);
      const after = load(open, true);
      row.release();
      expect(await Promise.all([before, after])).toEqual([null, null]);
      await open.close();
    });
  });
});

describe('Residency.load', () => {
  it('hands a change made while the value was read to who waited for it', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory, 0);
    await open.set('k', bytesOf(5000, 1));
    await open.store.inLevel();
    const read = vi.spyOn(Store.prototype, 'readValue');
    const loaded = new Promise<number | undefined>((resolve) => {
      open.residency.load([{ key: 'k', value: true }], () => resolve(open.residency.currentOf('k')?.length));
    });
    await open.set('k', bytesOf(10, 2));
    expect(await loaded).toBe(10);
    expect(await open.get('k')).toEqual(bytesOf(10, 2));
    expect(read.mock.calls.length).toBeLessThanOrEqual(1);
    await open.close();
    await checkStore(directory);
  });

  it('tells those who wait that nothing could be read, and reads again for the next', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('k', bytesOf(5000, 1));
    await open.reopen();
    vi.spyOn(Store.prototype, 'fetch').mockRejectedValueOnce(new Error('disk gone'));
    const failed = await new Promise<Error | undefined>((resolve) => open.residency.load([{ key: 'k', value: true }], resolve));
    expect(failed?.message).toBe('disk gone');
    expect(await open.get('k')).toEqual(bytesOf(5000, 1));
    await open.close();
  });

  it('takes an item whose value is damaged for absent, and counts it no more', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory, 0);
    await open.set('k', bytesOf(5000, 1));
    await open.store.inLevel();
    const { readdirSync, truncateSync } = await import('node:fs');
    truncateSync(`${directory}/values/${readdirSync(`${directory}/values`)[0]}`, 100);
    expect(await open.get('k')).toBeUndefined();
    await open.close();
    expect((await checkStore(directory)).state.items).toBe(0);
  });
});

describe('the table of places', () => {
  /** More than the RAM tier keeps of one item. */
  const LARGE = 8000;

  /** What is on disk alone, beside a RAM tier that is full. */
  async function start(): Promise<{ open: OpenCache; rowsRead: (step: () => Promise<unknown>) => Promise<number> }> {
    const open = await OpenCache.open(tempDirectory(), 100_000);
    await fillRam(open);
    await open.set('a', bytesOf(LARGE, 1), 100);
    await open.store.inLevel();
    const rowsRead = async (step: () => Promise<unknown>): Promise<number> => {
      const before = open.residency.reads.rows;
      await step();
      await open.store.inLevel();
      return open.residency.reads.rows - before;
    };
    return { open, rowsRead };
  }

  /** Stores so much that places are noted. */
  async function fillRam(open: OpenCache): Promise<void> {
    for (let i = 0; open.residency.ram.places.capacity === 0; i++) await open.set(`fill ${i}`, bytesOf(500, i));
  }

  it.each(['at once', 'later'])('spares what was stored its row, read %s', async (when) => {
    const { open, rowsRead } = await start();
    if (when === 'later') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    expect(await rowsRead(async () => expect(await open.get('a')).toEqual(bytesOf(LARGE, 1)))).toBe(0);
    expect(await rowsRead(() => open.set('a', bytesOf(LARGE + 1, 2)))).toBe(0);
    expect(await rowsRead(async () => expect(await open.get('a')).toEqual(bytesOf(LARGE + 1, 2)))).toBe(0);
    await open.close();
  });

  it.each(['at once', 'later'])('knows what was read once, read %s', async (when) => {
    const { open, rowsRead } = await start();
    await open.reopen();
    await fillRam(open);
    if (when === 'later') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    const read = async (): Promise<void> => expect(await open.get('a')).toEqual(bytesOf(LARGE, 1));
    expect(await rowsRead(read)).toBe(1);
    expect(await rowsRead(read)).toBe(0);
    await open.close();
  });

  it('does not know what changed since its record was written', async () => {
    const { open, rowsRead } = await start();
    expect(await open.touch('a', 500)).toBe('touched');
    await open.store.inLevel();
    for (let i = 0; i < 2; i++) expect(await rowsRead(() => open.get('a'))).toBe(1);
    open.clock.advance(200);
    expect(await open.get('a')).toEqual(bytesOf(LARGE, 1));
    await open.close();
  });

  it('does not know what was deleted', async () => {
    const { open } = await start();
    expect(await open.delete('a')).toBe('deleted');
    await open.store.inLevel();
    expect(await open.get('a')).toBeUndefined();
    await open.close();
  });

  it('does not know what was stored and lost', async () => {
    const { open } = await start();
    await open.set('a', bytesOf(LARGE, 2));
    open.residency.forget(['a']);
    await open.store.inLevel();
    expect(await open.get('a')).toEqual(bytesOf(LARGE, 2));
    await open.close();
  });

  it('reads the row where the record is that of another key', async () => {
    const { open, rowsRead } = await start();
    const { place } = open.store.fetchNow('a')!;
    await open.set('b', bytesOf(LARGE, 3));
    await open.store.inLevel();
    vi.spyOn(PlaceTable.prototype, 'find').mockReturnValue(place);
    const read = async (): Promise<void> => expect(await open.get('b')).toEqual(bytesOf(LARGE, 3));
    expect(await rowsRead(read)).toBe(1);
    vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    expect(await rowsRead(read)).toBe(1);
    await open.close();
  });

  it('follows a value that is moved', async () => {
    const { open, rowsRead } = await start();
    const old = open.store.fetchNow('a')!;
    const record = (await open.store.values.scan(old.place!.segment, old.place!.offset, Buffer.alloc(old.place!.size)));
    const copy = open.store.copy('a', old, record);
    await open.store.copies.write([copy]);
    await open.store.copies.sync([copy]);
    open.residency.moved('a', open.store.relocate(copy)!, old.place!);
    await open.store.inLevel();
    expect(await rowsRead(async () => expect(await open.get('a')).toEqual(bytesOf(LARGE, 1)))).toBe(0);
    expect(open.store.fetchNow('a')!.place).toEqual(copy.place);
    await open.close();
  });

  it('does not know what was stored while the RAM tier had room', async () => {
    const open = await OpenCache.open(tempDirectory());
    const note = vi.spyOn(PlaceTable.prototype, 'note');
    await open.set('a', bytesOf(LARGE, 1));
    expect(note).not.toHaveBeenCalled();
    // As after a change of its size.
    const isFull = vi.spyOn(open.residency.ram, 'isFull', 'get').mockReturnValue(true);
    await open.set('a', bytesOf(LARGE, 2));
    expect(note).toHaveBeenCalledTimes(1);
    isFull.mockReturnValue(false);
    await open.set('a', bytesOf(LARGE, 3));
    await open.store.inLevel();
    open.residency.ram.clear();
    expect(await open.get('a')).toEqual(bytesOf(LARGE, 3));
    await open.close();
  });
});
