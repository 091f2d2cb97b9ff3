import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Item } from '../../src/item.ts';
import { RECORD_HEAD_BYTES } from '../../src/store/item-row.ts';
import { RowBatch } from '../../src/store/row-batch.ts';
import type { Store } from '../../src/store/store.ts';
import { segmentName, ValueLog } from '../../src/store/value-log.ts';
import { writeRecord } from '../../src/store/value-record.ts';
import { recordsOf } from '../../src/upkeep/segment-walk.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { openStore } from '../support/open-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const LENGTH = 1000;
const FAR = 4_000_000_000;

afterEach(() => vi.restoreAllMocks());

function open(directory: string): Promise<Store> {
  return openStore(directory, { segmentBytes: 4 * LENGTH });
}

function put(store: Store, key: string, old?: Item): Item {
  const cas = store.nextCas();
  return store.put(key, old, buildItem({ value: bytesOf(LENGTH, cas), cas }));
}

function recordOf(key: string, item: Item): Buffer {
  const record = Buffer.alloc(RECORD_HEAD_BYTES + key.length + item.length);
  writeRecord(record, 0, key, item);
  return record;
}

async function valueOf(store: Store, key: string): Promise<Buffer | undefined> {
  const [item] = await store.fetch([key]);
  return item === undefined ? undefined : await store.readValue(key, item);
}

/** A store with an item, of which a copy is begun. */
async function withCopy() {
  const directory = tempDirectory();
  const store = await open(directory);
  const item = put(store, 'key');
  await store.inLevel();
  const copy = store.copy('key', item, recordOf('key', item));
  const secure = async (): Promise<void> => {
    await store.copies.write([copy]);
    await store.copies.sync([copy]);
  };
  const hasFile = (): boolean => existsSync(join(directory, 'values', segmentName(copy.place.segment)));
  return { directory, store, item, copy, secure, hasFile };
}

describe('a copy of a record', () => {
  it('is in a segment of its own, on disk, before any row points to it', async () => {
    const { directory, store, item, copy, secure } = await withCopy();
    const forced = vi.spyOn(ValueLog.prototype, 'sync');
    const rows = vi.spyOn(RowBatch.prototype, 'write');
    await secure();
    expect(copy.place.segment).not.toBe(item.place!.segment);
    expect(forced).toHaveBeenCalledWith(new Set([copy.place.segment]));
    expect(rows).not.toHaveBeenCalled();
    expect(await store.values.read(copy.place)).toEqual(recordOf('key', item));
    expect(store.relocate(copy)?.place).toEqual(copy.place);
    await store.inLevel();
    expect(await valueOf(store, 'key')).toEqual(item.value);
    await store.close();
    await checkStore(directory);
  });

  // Nothing that is alive is in it.
  it('keeps its segment from being removed until its item points to it, and goes with it when it is given up', async () => {
    const { directory, store, item, copy, secure, hasFile } = await withCopy();
    await secure();
    store.values.seal(copy.place.segment);
    expect(store.hasCopies(copy.place.segment)).toBe(true);
    await store.sync();
    expect(hasFile()).toBe(true);
    store.relocate(copy);
    await store.sync();
    expect(store.hasCopies(copy.place.segment)).toBe(false);
    expect(hasFile()).toBe(true);
    expect(await valueOf(store, 'key')).toEqual(item.value);

    const another = store.copy('key', { ...item, place: copy.place }, recordOf('key', item));
    await store.copies.write([another]);
    store.values.seal(another.place.segment);
    store.copies.drop([another]);
    await store.sync();
    expect(store.values.ids()).not.toContain(another.place.segment);
    expect(await valueOf(store, 'key')).toEqual(item.value);
    await store.close();
    await checkStore(directory);
  });

  it.each([
    ['stored anew', (store: Store, item: Item): void => void put(store, 'key', item)],
    ['deleted', (store: Store, item: Item): void => store.remove('key', item)],
  ])('is dead when its item is %s meanwhile', async (_, change) => {
    const { directory, store, item, copy, secure, hasFile } = await withCopy();
    await secure();
    change(store, item);
    expect(copy.isOpen).toBe(false);
    const { items, bytes } = store;
    expect(store.relocate(copy)).toBeUndefined();
    expect([store.items, store.bytes]).toEqual([items, bytes]);
    expect(store.deadRecords.has(copy.place.segment, copy.place.offset)).toBe(true);
    // Its record and the copy.
    expect(store.deadValueBytes).toBeGreaterThan(2 * LENGTH);
    await store.close();
    const { items: left } = await checkStore(directory);
    expect(left.has('key')).toBe(items === 1);
    const again = await open(directory);
    expect(hasFile()).toBe(false);
    await again.close();
  });

  it('takes over what is known of its item when that is touched meanwhile', async () => {
    const { directory, store, item, copy, secure } = await withCopy();
    await secure();
    store.restate('key', item, { ...item, value: undefined, expiresAt: FAR, cas: store.nextCas() });
    expect(store.relocate(copy)).toMatchObject({ expiresAt: FAR, place: copy.place });
    await store.inLevel();
    const [found] = await store.fetch(['key']);
    expect(found).toMatchObject({ expiresAt: FAR, place: copy.place });
    await store.close();
    await checkStore(directory);
  });

  it('leaves a place that is got past when it dies before it is written', async () => {
    const { directory, store, item, copy } = await withCopy();
    const second = put(store, 'second');
    await store.inLevel();
    const behind = store.copy('second', second, recordOf('second', second));
    expect(behind.place).toMatchObject({ segment: copy.place.segment, offset: copy.place.offset + copy.place.size });
    store.remove('key', item);
    await store.copies.write([copy, behind]);
    await store.copies.sync([copy, behind]);
    expect(store.relocate(copy)).toBeUndefined();
    expect(store.relocate(behind)).toBeDefined();
    await store.inLevel();
    const found: string[] = [];
    for await (const records of recordsOf(store, copy.place.segment)) found.push(...records.map(({ key }) => key));
    expect(found).toEqual(['second']);
    await store.close();
    await checkStore(directory);
  });

  it('of a key of which there is one already takes the place of that', async () => {
    const { directory, store, item, copy, secure } = await withCopy();
    await secure();
    const other = store.copy('key', item, recordOf('key', item), true);
    await store.copies.write([other]);
    await store.copies.sync([other]);
    expect(store.relocate(copy)).toBeUndefined();
    expect(store.relocate(other)?.place).toEqual(other.place);
    expect(store.isKept(other.place.segment)).toBe(true);
    await store.close();
    await checkStore(directory);
  });

  it.each([
    ['written', (): void => void vi.spyOn(ValueLog.prototype, 'write').mockRejectedValueOnce(new Error('disk full')), 'Cannot write to store at'],
    ['forced to disk', (): void => void vi.spyOn(ValueLog.prototype, 'sync').mockRejectedValueOnce(new Error('EIO')), 'Cannot force copies to disk in store at'],
  ])('that cannot be %s has writes refused, and its place is not used when the store was opened anew', async (_, breakIt, said) => {
    const { directory, store, item, copy, secure } = await withCopy();
    breakIt();
    await expect(secure()).rejects.toThrow(said);
    expect(store.failure).toBeDefined();
    await expect(secure()).rejects.toMatchObject({ code: 'TUGELA_STORE_FAILED' });
    expect(store.relocate(copy)).toBeUndefined();
    await store.reopen();
    expect(store.failure).toBeUndefined();
    expect(store.relocate(copy)).toBeUndefined();
    store.copies.drop([copy]);
    // The number of its segment is given out anew only if that has no file.
    const next = store.copy('key', item, recordOf('key', item));
    expect(next.place.segment).toBeGreaterThanOrEqual(copy.place.segment);
    await store.copies.write([next]);
    await store.copies.sync([next]);
    expect(store.relocate(next)).toBeDefined();
    await store.inLevel();
    expect(await valueOf(store, 'key')).toEqual(item.value);
    await store.close();
    await checkStore(directory);
  });

  it('that is being written holds a new opening up until it has ended', async () => {
    const { directory, store, item, copy } = await withCopy();
    const ended: string[] = [];
    const write: ValueLog['write'] = Reflect.get(ValueLog.prototype, 'write');
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    vi.spyOn(ValueLog.prototype, 'write').mockImplementationOnce(async function late(this: ValueLog, records) {
      await held;
      await write.call(this, records);
      ended.push('written');
    });
    const writing = store.copies.write([copy]);
    vi.spyOn(ValueLog.prototype, 'sync').mockRejectedValueOnce(new Error('EIO'));
    await expect(store.sync()).rejects.toThrow('EIO');
    const reopening = store.reopen().then(() => ended.push('opened'));
    release();
    await Promise.all([writing, reopening]);
    expect(ended).toEqual(['written', 'opened']);
    expect(store.relocate(copy)).toBeUndefined();
    expect(await valueOf(store, 'key')).toEqual(item.value);
    await store.close();
    await checkStore(directory);
  });

  it('may be the first that is written to a segment beside another, and neither is lost', async () => {
    const { directory, store, item, copy } = await withCopy();
    const second = put(store, 'second');
    await store.inLevel();
    const other = store.copy('second', second, recordOf('second', second));
    await Promise.all([store.copies.write([copy]), store.copies.write([other])]);
    await store.copies.sync([copy, other]);
    expect(other.place.segment).toBe(copy.place.segment);
    store.relocate(copy);
    store.relocate(other);
    await store.inLevel();
    expect(await valueOf(store, 'key')).toEqual(item.value);
    expect(await valueOf(store, 'second')).toEqual(second.value);
    await store.close();
    await checkStore(directory);
  });
});
