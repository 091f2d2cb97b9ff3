import { appendFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BASE64_KEY, type Item, STALE } from '../../src/item.ts';
import { RowBatch } from '../../src/store/row-batch.ts';
import type { Store, StoreOptions } from '../../src/store/store.ts';
import { ttlShift } from '../../src/store/ttl-bucket.ts';
import { ValueLog } from '../../src/store/value-log.ts';
import { checkStore } from '../support/check-store.ts';
import { acknowledged, killed, newItem, NOW, openStore } from '../support/open-store.ts';
import { withTempDirectory } from '../support/temp-directory.ts';

/** So large that the value goes to the value log. */
const LARGE = 1000;
/** So small that it lies in its row. */
const SMALL = 100;

afterEach(() => vi.restoreAllMocks());

function segmentsOf(directory: string): string[] {
  return readdirSync(join(directory, 'values')).toSorted();
}

/** All that is known of items, as a start finds it. */
async function found(directory: string, keys: readonly string[], options: Partial<StoreOptions> = {}): Promise<Map<string, Item>> {
  const store = await openStore(directory, options);
  const items = new Map<string, Item>();
  for (const [i, item] of (await store.fetch(keys)).entries()) {
    if (item !== undefined) items.set(keys[i]!, { ...item, value: await store.readValue(keys[i]!, item) });
  }
  await store.close();
  return items;
}

/** A start that is killed when it has written the first rows that it makes, and not the others. */
async function startBrokenOff(directory: string): Promise<void> {
  const write: RowBatch['write'] = Reflect.get(RowBatch.prototype, 'write');
  let batches = 0;
  vi.spyOn(RowBatch.prototype, 'write').mockImplementation(function broken(this: RowBatch, sync) {
    return ++batches === 2 ? Promise.reject(new Error('killed')) : write.call(this, sync);
  });
  await expect(openStore(directory)).rejects.toThrow('killed');
  vi.restoreAllMocks();
}

describe('an item that was acknowledged before LevelDB had its row', () => {
  it('is there after a kill with all that is known of it, listed in the index, and counted', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory, { countedPrefixes: ['k'] });
      store.put('before', undefined, newItem(store, LARGE));
      for (const prefix of store.counted!.all) store.finishCount(prefix);
      await store.inLevel();
      const items = new Map<string, Item>();
      for (const [key, change] of [
        ['k1', {}],
        ['k2', { flags: 77, expiresAt: NOW + 3600 }],
        ['k3', { bits: BASE64_KEY | STALE, expiresAt: NOW + 30 * 86400 }],
      ] as const) {
        items.set(key, store.put(key, undefined, newItem(store, LARGE, change)));
      }
      await acknowledged(store);
      expect(store.deferredItems).toBe(3);
      const left = await killed(directory);
      await store.close();

      const again = await found(left, [...items.keys(), 'before'], { countedPrefixes: ['k'] });
      expect(again.size).toBe(4);
      for (const [key, item] of items) expect(again.get(key)).toEqual(item);
      const { state, items: all } = await checkStore(left);
      expect(all.size).toBe(4);
      expect(state).toMatchObject({ items: 4, totalItems: 4, indexEntries: 2 });
      const counted = await openStore(left, { countedPrefixes: ['k'] });
      expect(counted.counted!.all[0]).toMatchObject({ isCounted: true, items: 3, bytes: 3 * (2 + LARGE) });
      await counted.close();
    }));

  it('takes the place of what it had before, also in the counts of its segment', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      const first = store.put('key', undefined, newItem(store, LARGE, { expiresAt: NOW + 100 }));
      await store.inLevel();
      const second = store.put('key', first, newItem(store, LARGE, { expiresAt: NOW + 100 }));
      await acknowledged(store);
      const third = store.put('key', second, newItem(store, LARGE + 1, { expiresAt: NOW + 5000 }));
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      expect((await found(left, ['key'])).get('key')).toEqual(third);
      expect((await checkStore(left)).state).toMatchObject({ items: 1, bytes: 3 + LARGE + 1, indexEntries: 2 });
    }));

  it('is seen by who reads the store while no server runs, also when it is the first', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key', undefined, newItem(store, LARGE));
      await acknowledged(store);
      const early = await killed(directory);
      store.put('other', undefined, newItem(store, LARGE));
      await acknowledged(store);
      const late = await killed(directory);
      await store.close();
      expect([...(await checkStore(late)).items.keys()].toSorted()).toEqual(['key', 'other']);
      expect([...(await checkStore(early)).items.keys()]).toEqual(['key']);
    }));

  it('is not answered from a copy of its record, whose cas unique is the same', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      const item = store.put('key', undefined, newItem(store, LARGE));
      await store.inLevel();
      const moved = newItem(store, LARGE);
      const placed = store.put('moved', undefined, moved);
      await acknowledged(store);
      const record = Buffer.from(readFileSync(join(directory, 'values', segmentsOf(directory)[0]!)).subarray(placed.place!.offset, placed.place!.offset + placed.place!.size));
      const copy = store.copy('moved', placed, record);
      await store.copies.write([copy]);
      await store.copies.sync([copy]);
      expect(store.relocate(copy)).toBeDefined();
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      const again = await found(left, ['key', 'moved']);
      expect(again.get('key')).toEqual(item);
      expect(again.get('moved')!.value).toEqual(moved.value);
      await checkStore(left);
    }));

  it('is made only once, however often a start is broken off', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      await store.inLevel();
      // More than one batch of rows, and less than what is deferred.
      const keys = Array.from({ length: 1200 }, (_, i) => `key ${i}`);
      for (const key of keys.slice(1)) store.put(key, undefined, newItem(store, 257, { expiresAt: NOW + 3600 }));
      await acknowledged(store);
      expect(store.deferredItems).toBeGreaterThan(1024);
      const left = await killed(directory);
      await store.close();
      await startBrokenOff(left);
      expect((await found(left, keys)).size).toBe(1200);
      expect((await checkStore(left)).state).toMatchObject({ items: 1200, totalItems: 1200, indexEntries: 1199 });
    }));

  it('has its segment kept, and those that it emptied until its row is on disk', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory, { segmentBytes: 2048 });
      const old = store.put('key', undefined, newItem(store, LARGE));
      store.put('full', undefined, newItem(store, LARGE));
      await store.inLevel();
      store.remove('full', (await store.fetch(['full']))[0]!);
      await store.sync();
      store.put('key', old, newItem(store, LARGE));
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      const again = await openStore(left, { segmentBytes: 2048 });
      expect(segmentsOf(left)).toHaveLength(2);
      expect(again.emptySegments).toBe(1);
      await again.sync();
      expect(segmentsOf(left)).toHaveLength(1);
      await again.close();
      await checkStore(left);
    }));
});

// It was removed at the start, before what lies behind the rows was looked for.
it('a segment in which nothing is alive as of the rows has what was acknowledged since', () =>
  withTempDirectory(async (parent) => {
    const directory = join(parent, 'store');
    const store = await openStore(directory);
    const old = store.put('old', undefined, newItem(store, LARGE));
    await store.inLevel();
    store.remove('old', old);
    await store.inLevel();
    const item = store.put('new', undefined, newItem(store, LARGE));
    await acknowledged(store);
    expect(segmentsOf(directory)).toHaveLength(1);
    const left = await killed(directory);
    await store.close();
    expect((await found(left, ['old', 'new'])).get('new')).toEqual(item);
    await checkStore(left);
  }));

describe('the end of the value log', () => {
  it.each([
    ['a record that is cut off', (path: string, size: number) => truncateSync(path, size - 1)],
    ['bytes that are no record', (path: string) => appendFileSync(path, Buffer.alloc(100, 0xff))],
    ['zeros', (path: string) => appendFileSync(path, Buffer.alloc(5000))],
  ])('may be %s: what is in front of it counts', (what, damage) =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      await store.inLevel();
      for (const key of ['key 1', 'key 2']) {
        store.put(key, undefined, newItem(store, LARGE));
        await acknowledged(store);
      }
      const left = await killed(directory);
      await store.close();
      const path = join(left, 'values', segmentsOf(left)[0]!);
      damage(path, readFileSync(path).length);
      const keys = [...(await found(left, ['key 0', 'key 1', 'key 2'])).keys()];
      expect(keys).toEqual(what.includes('cut off') ? ['key 0', 'key 1'] : ['key 0', 'key 1', 'key 2']);
      await checkStore(left);
    }));

  it('is read past places that were not needed', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      await store.inLevel();
      const first = store.put('key 1', undefined, newItem(store, LARGE));
      const last = store.put('key 1', first, newItem(store, 300_000));
      const next = store.put('key 1', last, newItem(store, LARGE));
      store.put('key 2', undefined, newItem(store, LARGE));
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      const again = await found(left, ['key 1', 'key 2']);
      expect(again.get('key 1')).toEqual(next);
      expect(again.size).toBe(2);
    }));
});

describe('groups behind the rows', () => {
  it('count behind a batch that was still being written, which had nothing but them', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      await store.inLevel();
      const write: RowBatch['write'] = Reflect.get(RowBatch.prototype, 'write');
      let goOn: () => void = () => undefined;
      vi.spyOn(RowBatch.prototype, 'write').mockImplementationOnce(async function late(this: RowBatch, sync) {
        await new Promise<void>((resolve) => (goOn = resolve));
        await write.call(this, sync);
      });
      // More than is deferred.
      const keys = Array.from({ length: 1500 }, (_, i) => `key ${i}`);
      for (const key of keys.slice(1)) store.put(key, undefined, newItem(store, LARGE));
      await acknowledged(store);
      const last = store.put('last', undefined, newItem(store, LARGE));
      await acknowledged(store);
      expect(store.deferredItems).toBe(1500);
      // What comes later than its rows are due waits for the batch.
      const left = await killed(directory);
      goOn();
      await store.close();
      const again = await found(left, [...keys, 'last']);
      expect(again.size).toBe(1501);
      expect(again.get('last')).toEqual(last);
      await checkStore(left);
    }));

  it('count up to the first of which a record is missing, though later ones are whole', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      store.put('short 0', undefined, newItem(store, LARGE, { expiresAt: NOW + 5 }));
      await store.inLevel();
      const [forEver, short] = segmentsOf(directory) as [string, string];
      store.put('key 1', undefined, newItem(store, LARGE));
      store.put('short 1', undefined, newItem(store, LARGE, { expiresAt: NOW + 5 }));
      await acknowledged(store);
      const whole = readFileSync(join(directory, 'values', forEver)).length;
      store.put('key 2', undefined, newItem(store, LARGE));
      store.put('short 2', undefined, newItem(store, LARGE, { expiresAt: NOW + 5 }));
      await acknowledged(store);
      store.put('short 3', undefined, newItem(store, LARGE, { expiresAt: NOW + 5 }));
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      expect(readFileSync(join(left, 'values', short)).length).toBeGreaterThan(4 * LARGE);
      truncateSync(join(left, 'values', forEver), whole);
      const keys = [0, 1, 2, 3].flatMap((i) => [`key ${i}`, `short ${i}`]);
      expect([...(await found(left, keys)).keys()]).toEqual(['key 0', 'short 0', 'key 1', 'short 1']);
      await checkStore(left);
    }));
});

describe('what no record tells', () => {
  /** Opens a store that may tell of groups by the value log, in which these items are stored. */
  async function filled(directory: string, keys: readonly string[], length: number, options: Partial<StoreOptions> = {}): Promise<{ store: Store; items: Map<string, Item> }> {
    const store = await openStore(directory, options);
    const items = new Map(keys.map((key) => [key, store.put(key, undefined, newItem(store, length, { expiresAt: NOW + 100 }))]));
    await store.inLevel();
    return { store, items };
  }

  it('is acknowledged before LevelDB has its rows, and there after a kill: small values, touches, deletes, a chosen cas unique', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const { store, items } = await filled(directory, ['k touched', 'k deleted', 'k inline'], LARGE, { countedPrefixes: ['k'] });
      for (const prefix of store.counted!.all) store.finishCount(prefix);
      await store.inLevel();
      const small = store.put('k small', undefined, newItem(store, SMALL, { expiresAt: NOW + 3600 }));
      await acknowledged(store);
      const chosen = store.put('k chosen', undefined, newItem(store, LARGE, { chosenCas: 4711 }));
      const inline = store.put('k inline', items.get('k inline'), newItem(store, SMALL));
      const touched = store.restate('k touched', items.get('k touched')!, { ...items.get('k touched')!, expiresAt: NOW + 5000, ttlShift: ttlShift(5000) });
      store.remove('k deleted', items.get('k deleted')!);
      await acknowledged(store);
      expect(store.deferredItems).toBe(5);
      expect(store.pending('k deleted')).toBeNull();
      expect(store.pending('k small')).toEqual(small);
      const left = await killed(directory);
      await store.close();

      const again = await found(left, ['k small', 'k chosen', 'k inline', 'k touched', 'k deleted'], { countedPrefixes: ['k'] });
      expect([...again.keys()]).toEqual(['k small', 'k chosen', 'k inline', 'k touched']);
      for (const [key, item] of Object.entries({ small, chosen, inline })) expect(again.get(`k ${key}`)).toEqual(item);
      expect({ ...again.get('k touched'), value: undefined }).toEqual({ ...touched, value: undefined });
      expect(again.get('k touched')!.value).toEqual(items.get('k touched')!.value);
      const { state } = await checkStore(left);
      expect(state).toMatchObject({ items: 4, totalItems: 6, indexEntries: 5 });
      const counted = await openStore(left, { countedPrefixes: ['k'] });
      expect(counted.counted!.all[0]).toMatchObject({ isCounted: true, items: 4, bytes: counted.state.bytes });
      await counted.close();
    }));

  it('counts in the order of the groups, in whatever segments it lies', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      // A segment for each group or two.
      const { store, items } = await filled(directory, ['a', 'b', 'c', 'd'], LARGE, { segmentBytes: 2048 });
      const [a, b, c, d] = [...items.values()] as [Item, Item, Item, Item];
      const later = { ...d, expiresAt: NOW + 1000, ttlShift: ttlShift(1000) };
      const steps = [
        () => store.put('a', a, newItem(store, LARGE)),
        () => store.remove('a', store.pending('a')!),
        () => store.remove('b', b),
        () => store.put('b', undefined, newItem(store, LARGE + 1, { expiresAt: NOW + 5 })),
        () => store.put('c', c, newItem(store, SMALL)),
        () => store.put('c', store.pending('c')!, newItem(store, LARGE + 2)),
        () => store.restate('d', d, later),
        () => store.restate('d', store.pending('d')!, { ...later, expiresAt: NOW + 2000, ttlShift: ttlShift(2000) }),
        // In one group the last counts.
        () => {
          const put = store.put('e', undefined, newItem(store, LARGE));
          store.remove('e', put);
          const again = store.put('f', undefined, newItem(store, SMALL));
          store.put('f', again, newItem(store, LARGE + 3));
          const told = store.put('g', undefined, newItem(store, LARGE));
          store.restate('g', told, { ...told, expiresAt: NOW + 7, ttlShift: ttlShift(7) });
        },
      ];
      for (const step of steps) {
        step();
        await acknowledged(store);
      }
      expect(store.deferredItems).toBe(7);
      const left = await killed(directory);
      await store.close();
      const again = await found(left, ['a', 'b', 'c', 'd', 'e', 'f', 'g'], { segmentBytes: 2048 });
      expect([...again].map(([key, { length, expiresAt }]) => [key, length, expiresAt])).toEqual([
        ['b', LARGE + 1, NOW + 5],
        ['c', LARGE + 2, 0],
        ['d', LARGE, NOW + 2000],
        ['f', LARGE + 3, 0],
        ['g', LARGE, NOW + 7],
      ]);
      await checkStore(left);
    }));

  it('is made only once, however often a start is broken off', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const keys = Array.from({ length: 1300 }, (_, i) => `key ${i}`);
      const { store, items } = await filled(directory, keys, SMALL);
      for (const [i, key] of keys.entries()) {
        const old = items.get(key)!;
        if (i % 3 === 0) store.remove(key, old);
        else if (i % 3 === 1) store.put(key, old, newItem(store, SMALL));
        else store.restate(key, old, { ...old, expiresAt: 0, ttlShift: 0 });
        // More would be committed with their rows.
        if (i % 50 === 49) await acknowledged(store);
      }
      await acknowledged(store);
      expect(store.deferredItems).toBe(1300);
      const left = await killed(directory);
      await store.close();
      await startBrokenOff(left);
      const again = await found(left, keys);
      expect([...again.keys()]).toEqual(keys.filter((_, i) => i % 3 !== 0));
      expect((await checkStore(left)).state).toMatchObject({ items: 866, totalItems: 1300 + 433 });
    }));

  // Of the groups behind the rows those without records were taken again, and what they had stored came back.
  it('is made only once where nothing is written between two starts, nor by who only reads the store', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const { store } = await filled(directory, ['first'], LARGE);
      const small = store.put('small', undefined, newItem(store, SMALL));
      await acknowledged(store);
      store.remove('small', small);
      store.put('large', undefined, newItem(store, LARGE));
      await acknowledged(store);
      const left = await killed(directory);
      await store.close();
      for (let i = 0; i < 3; i++) expect([...(await checkStore(left)).items.keys()].toSorted()).toEqual(['first', 'large']);
      const started = await openStore(left);
      const again = await killed(left);
      await started.close();
      expect([...(await found(again, ['first', 'small', 'large'])).keys()]).toEqual(['first', 'large']);
      await checkStore(again);
    }));

  it('is committed with its rows where it is much, which is cheaper', () =>
    withTempDirectory(async (directory) => {
      const { store } = await filled(directory, ['first'], LARGE);
      store.put('before', undefined, newItem(store, LARGE));
      await acknowledged(store);
      expect(store.deferredItems).toBe(1);
      for (let i = 0; i < 65; i++) store.put(`key ${i}`, undefined, newItem(store, SMALL));
      await acknowledged(store);
      expect(store.deferredItems).toBe(0);
      await store.close();
    }));

  it('takes 16 MiB of a segment of its own at most, which then goes with the next sync', () =>
    withTempDirectory(async (directory) => {
      const { store } = await filled(directory, ['a'], SMALL);
      const items = new Map<string, Item>();
      for (let rounds = 0; store.emptySegments === 0; rounds++) {
        expect(rounds).toBeLessThan(1200);
        for (let i = 0; i < 60; i++) items.set(`key ${i}`, store.put(`key ${i}`, items.get(`key ${i}`), newItem(store, 256)));
        await acknowledged(store);
      }
      const [first] = store.values.ids();
      expect(store.values.size(first!)).toBeGreaterThan(16 * 2 ** 20);
      await store.sync();
      expect(store.values.ids()).not.toContain(first);
      await store.close();
      await checkStore(directory);
    }));

  it('is lost, as its writer is told, when it could not be written: nothing of it comes back when the store is opened anew', () =>
    withTempDirectory(async (directory) => {
      const { store, items } = await filled(directory, ['key'], LARGE);
      const write: ValueLog['write'] = Reflect.get(ValueLog.prototype, 'write');
      vi.spyOn(ValueLog.prototype, 'write').mockImplementationOnce(async function denied(this: ValueLog, records) {
        await write.call(this, records);
        throw new Error('EIO');
      });
      store.remove('key', items.get('key')!);
      await expect(acknowledged(store)).rejects.toThrow('EIO');
      await store.reopen();
      expect((await store.fetch(['key']))[0]).toMatchObject({ cas: items.get('key')!.cas });
      await store.close();
      expect((await checkStore(directory)).items.size).toBe(1);
    }));
});

describe('a store that could not write and was opened anew', () => {
  it('has what was acknowledged, and not what was refused although its record was written', () =>
    withTempDirectory(async (parent) => {
      const directory = join(parent, 'store');
      const store = await openStore(directory);
      store.put('key 0', undefined, newItem(store, LARGE));
      await store.inLevel();
      const kept = store.put('kept', undefined, newItem(store, LARGE));
      await acknowledged(store);
      const write: ValueLog['write'] = Reflect.get(ValueLog.prototype, 'write');
      vi.spyOn(ValueLog.prototype, 'write').mockImplementationOnce(async function denied(this: ValueLog, records) {
        await write.call(this, records);
        throw new Error('EIO');
      });
      store.put('refused', undefined, newItem(store, LARGE));
      await expect(acknowledged(store)).rejects.toThrow('EIO');
      expect(store.pending('kept')).toEqual(kept);
      expect(store.pending('refused')).toBeUndefined();
      await store.reopen();
      expect(store.pending('kept')).toBeUndefined();
      const [again, refused] = await store.fetch(['kept', 'refused']);
      expect(await store.readValue('kept', again!)).toEqual(kept.value);
      expect(refused).toBeUndefined();
      expect(store.state.items).toBe(2);
      await store.close();
      expect((await checkStore(directory)).items.size).toBe(2);
    }));

  it('tells of items that were moved a moment before: they are where they were', () =>
    withTempDirectory(async (directory) => {
      const forgotten: string[] = [];
      const store = await openStore(directory, { onFailed: (keys) => void forgotten.push(...keys) });
      const placed = store.put('moved', undefined, newItem(store, LARGE));
      await store.sync();
      const record = readFileSync(join(directory, 'values', segmentsOf(directory)[0]!)).subarray(placed.place!.offset, placed.place!.offset + placed.place!.size);
      const copy = store.copy('moved', placed, Buffer.from(record));
      await store.copies.write([copy]);
      await store.copies.sync([copy]);
      const moved = store.relocate(copy);
      await acknowledged(store);
      expect(store.pending('moved')).toEqual(moved);
      vi.spyOn(ValueLog.prototype, 'write').mockRejectedValueOnce(new Error('EIO'));
      store.put('refused', undefined, newItem(store, LARGE));
      await expect(acknowledged(store)).rejects.toThrow('EIO');
      expect(forgotten).toEqual(['refused']);
      await store.reopen();
      expect(forgotten).toEqual(['refused', 'moved']);
      const [again] = await store.fetch(['moved']);
      expect(again!.place).toEqual(placed.place);
      expect(await store.readValue('moved', again!)).toEqual(placed.value);
      await store.close();
      await checkStore(directory);
    }));
});

describe('whatever is done to a store', () => {
  const key = fc.integer({ min: 0, max: 5 }).map((i) => `key ${i}`);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ what: fc.constant('put' as const), key, length: fc.constantFrom(10, 300, 1000, 20_000), ttl: fc.constantFrom(0, 10, 3600) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('touch' as const), key, ttl: fc.constantFrom(0, 100) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('remove' as const), key }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('acknowledged' as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('sync' as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
  );

  it('all that was acknowledged is there after a kill, and everything agrees', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
        withTempDirectory(async (parent) => {
          let directory = join(parent, 'store');
          let store = await openStore(directory, { segmentBytes: 16 * 1024 });
          const items = new Map<string, Item>();
          const kill = async (): Promise<void> => {
            await acknowledged(store);
            const left = await killed(directory);
            await store.close();
            directory = left;
          };
          const expectAll = async (): Promise<void> => {
            const again = await found(directory, ['key 0', 'key 1', 'key 2', 'key 3', 'key 4', 'key 5'], { segmentBytes: 16 * 1024 });
            expect([...again.keys()].toSorted()).toEqual([...items.keys()].toSorted());
            for (const [name, { cas, expiresAt, value }] of items) expect(again.get(name)).toMatchObject({ cas, expiresAt, value });
          };
          for (const each of steps) {
            const old = 'key' in each ? items.get(each.key) : undefined;
            if (each.what === 'put') {
              const item = newItem(store, each.length, { expiresAt: each.ttl === 0 ? 0 : NOW + each.ttl });
              items.set(each.key, { ...store.put(each.key, old, item), value: item.value });
            } else if (each.what === 'touch' && old !== undefined) {
              const touched = { ...old, expiresAt: each.ttl === 0 ? 0 : NOW + each.ttl, ttlShift: each.ttl === 0 ? 0 : ttlShift(each.ttl) };
              items.set(each.key, { ...store.restate(each.key, old, touched), value: old.value });
            } else if (each.what === 'remove' && old !== undefined) {
              store.remove(each.key, old);
              items.delete(each.key);
            } else if (each.what === 'acknowledged') {
              await acknowledged(store);
            } else if (each.what === 'sync') {
              await store.sync();
            } else if (each.what === 'restart') {
              await kill();
              store = await openStore(directory, { segmentBytes: 16 * 1024 });
            }
          }
          await kill();
          await checkStore(directory);
          await expectAll();
        }),
      ),
      { numRuns: 40 },
    );
  });
});
