import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TugelaError } from '../../src/errors.ts';
import type { Item, Place } from '../../src/item.ts';
import { RECORD_HEAD_BYTES } from '../../src/store/item-row.ts';
import { RowBatch } from '../../src/store/row-batch.ts';
import { type Copy, Store } from '../../src/store/store.ts';
import { ttlShift } from '../../src/store/ttl-bucket.ts';
import { INLINE_MAX } from '../../src/store/tuning.ts';
import { writeRecord } from '../../src/store/value-record.ts';
import { SEGMENT_BYTES, ValueLog } from '../../src/store/value-log.ts';
import { checkStore } from '../support/check-store.ts';
import { newItem, NOW, openStore } from '../support/open-store.ts';
import { tempDirectory, withTempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

async function load(store: Store, key: string): Promise<Item | undefined> {
  const [item] = await store.fetch([key]);
  if (item === undefined) return undefined;
  return { ...item, value: await store.readValue(key, item) };
}

function recordOf(key: string, item: Item): Buffer {
  const record = Buffer.alloc(RECORD_HEAD_BYTES + key.length + item.length);
  writeRecord(record, 0, key, item);
  return record;
}

function valueFiles(directory: string): string[] {
  return readdirSync(join(directory, 'values')).toSorted();
}

/** Names and contents of everything under a directory. */
function snapshot(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const path = join(directory, name);
    found[name] = statSync(path).isDirectory() ? '(directory)' : readFileSync(path, 'latin1');
  }
  return found;
}

describe('Store', () => {
  it.each([0, 1, INLINE_MAX, INLINE_MAX + 1, 20_000])('keeps an item of %i bytes with flags, expiry and cas when opened anew', async (length) => {
    const directory = tempDirectory();
    let store = await openStore(directory);
    const item = newItem(store, length, { flags: 0xfedcba98, expiresAt: NOW + 1000 });
    const stored = store.put('key', undefined, item);
    await store.inLevel();
    expect(await load(store, 'key')).toEqual(stored);
    await store.close();
    store = await openStore(directory);
    expect(await load(store, 'key')).toEqual({ ...item, place: stored.place });
    await store.close();
    await checkStore(directory);
  });

  it('gives out higher cas uniques after each opening, even when the last ones were never committed', async () => {
    const directory = tempDirectory();
    let store = await openStore(directory);
    store.put('key', undefined, newItem(store, 1));
    await store.close();
    const before = store.nextCas();
    store = await openStore(directory);
    expect(store.nextCas()).toBeGreaterThan(before);
    await store.close();
  });

  it('shows what is staged, and what is committed once it is', async () => {
    const store = await openStore(tempDirectory());
    const stored = store.put('key', undefined, newItem(store, 10));
    expect(store.pending('key')).toEqual(stored);
    await store.inLevel();
    expect(store.pending('key')).toBeUndefined();
    expect(await load(store, 'key')).toEqual(stored);
    store.remove('key', stored);
    expect(store.pending('key')).toBeNull();
    await store.inLevel();
    expect(await load(store, 'key')).toBeUndefined();
    await store.close();
  });

  it('reads a large value while it is staged', async () => {
    const store = await openStore(tempDirectory());
    const stored = store.put('key', undefined, newItem(store, 5000));
    expect(await store.readValue('key', { ...stored, value: undefined })).toEqual(stored.value);
    await store.close();
  });

  it('commits all that is staged in one turn as one batch', async () => {
    const store = await openStore(tempDirectory());
    for (let i = 0; i < 50; i++) store.put(`key ${i}`, undefined, newItem(store, 10));
    await store.inLevel();
    expect(store.commits).toMatchObject({ batches: 1, mutations: 50 });
    await store.close();
  });

  it('tells a waiter soon when nothing is staged', async () => {
    const store = await openStore(tempDirectory());
    await store.inLevel();
    await store.close();
  });

  it('finds items by prefix, in key order, from any key on', async () => {
    const store = await openStore(tempDirectory());
    for (const key of ['a', 'b1', 'b2', 'b3', 'b\u00ff', 'c']) store.put(key, undefined, newItem(store, 1));
    await store.inLevel();
    const keys = async (prefix: string, after: string | undefined, limit: number): Promise<string[]> =>
      (await store.scan(prefix, after, limit)).found.map(({ key }) => key);
    expect(await keys('b', undefined, 10)).toEqual(['b1', 'b2', 'b3', 'b\u00ff']);
    expect(await keys('b', 'b1', 2)).toEqual(['b2', 'b3']);
    expect(await keys('b', 'a', 1)).toEqual(['b1']);
    expect(await keys('', 'b\u00ff', 10)).toEqual(['c']);
    await store.close();
  });

  it('goes on past damaged items when it scans', async () => {
    const directory = tempDirectory();
    let store = await openStore(directory);
    for (let i = 0; i < 6; i++) store.put(`key ${i}`, undefined, newItem(store, 10));
    await store.close();
    const { ClassicLevel } = await import('classic-level');
    const db = new ClassicLevel<string, Buffer>(directory, { keyEncoding: 'utf8', valueEncoding: 'buffer' });
    const row = await db.get('ikey 1');
    row![3]! ^= 1;
    await db.put('ikey 1', row!);
    await db.close();
    store = await openStore(directory);
    const { found, next } = await store.scan('', undefined, 3);
    expect(found.map(({ key }) => key)).toEqual(['key 0', 'key 2']);
    expect(next).toBe('key 2');
    expect(store.commits.damaged).toBe(1);
    await store.close();
  });

  it('gives no value for a record that was damaged or cut off', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    const stored = store.put('key', undefined, newItem(store, 5000));
    await store.inLevel();
    const path = join(directory, 'values', valueFiles(directory)[0]!);
    const bytes = readFileSync(path);
    const { offset, size } = stored.place!;
    bytes[offset + size - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await store.readValue('key', { ...stored, value: undefined })).toBeUndefined();
    truncateSync(path, offset + size - 1);
    expect(await store.readValue('key', { ...stored, value: undefined })).toBeUndefined();
    expect(store.commits.damaged).toBe(2);
    await store.close();
  });

  describe('value segments', () => {
    const HUGE = 20 * 2 ** 20;

    it('are removed when their last value is gone, but only after a sync', async () => {
      const directory = tempDirectory();
      const store = await openStore(directory);
      const items = [0, 1, 2, 3].map((n) => store.put(`key ${n}`, undefined, newItem(store, HUGE)));
      await store.inLevel();
      expect(valueFiles(directory)).toHaveLength(2);
      for (const n of [0, 1, 2]) store.remove(`key ${n}`, items[n]!);
      await store.inLevel();
      expect(valueFiles(directory)).toHaveLength(2);
      await store.sync();
      expect(valueFiles(directory)).toHaveLength(1);
      await store.close();
      await checkStore(directory);
    });

    it('are removed too when they were empty before they were full', async () => {
      const directory = tempDirectory();
      const store = await openStore(directory);
      for (let i = 0; i < 8; i++) {
        const item = store.put('key', undefined, newItem(store, HUGE));
        await store.inLevel();
        store.remove('key', item);
        await store.inLevel();
      }
      await store.sync();
      expect(store.values.stats().bytes).toBeLessThanOrEqual(SEGMENT_BYTES);
      expect(valueFiles(directory).length).toBeLessThanOrEqual(1);
      await store.close();
      await checkStore(directory);
    });

    it('that nothing refers to are removed at the next opening', async () => {
      const directory = tempDirectory();
      let store = await openStore(directory);
      const stored = store.put('key', undefined, newItem(store, 5000));
      await store.inLevel();
      store.remove('key', stored);
      await store.close();
      expect(valueFiles(directory)).toHaveLength(1);
      writeFileSync(join(directory, 'values', '000999.values'), 'left over from a crash');
      store = await openStore(directory);
      expect(valueFiles(directory)).toEqual([]);
      await store.close();
    });

    it('can be read from front to back when values were replaced before they were written', async () => {
      const directory = tempDirectory();
      const store = await openStore(directory);
      const first = store.put('a', undefined, newItem(store, 5000));
      store.put('a', first, newItem(store, 6000));
      const gone = store.put('b', undefined, newItem(store, 7000));
      store.remove('b', gone);
      const shrunk = store.put('c', undefined, newItem(store, 8000));
      store.put('c', shrunk, newItem(store, 10));
      const last = store.put('d', undefined, newItem(store, 9000));
      await store.close();
      const { readRecordHead } = await import('../../src/store/value-record.ts');
      const file = readFileSync(join(directory, 'values', valueFiles(directory)[0]!));
      const keys: string[] = [];
      for (let at = first.place!.offset; at < file.length; ) {
        const head = readRecordHead(file, at);
        if (head === undefined) break;
        keys.push(head.key);
        at += head.size;
      }
      expect(keys).toEqual(['\0', 'a', '\0', 'd']);
      expect(last.place!.offset + last.place!.size).toBe(file.length);
      await checkStore(directory);
    });
  });

  it('counts and indexes right after any sequence of mutations and openings', async () => {
    const key = fc.nat(7).map((n) => `k${n}`);
    const length = fc.constantFrom(0, 10, INLINE_MAX, INLINE_MAX + 1, 3000);
    const expiresIn = fc.constantFrom(0, 1, 5, 20, 100, 5000, 90_000, 10_000_000);
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), key, length, expiresIn }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('restate' as const), key, expiresIn }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), key, isKept: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('relocate' as const), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), key }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('sync' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        await withTempDirectory(async (directory) => {
          let store = await openStore(directory);
          const model = new Map<string, Item>();
          const copies = new Map<string, { readonly copy: Copy; readonly place: Place }>();
          const expiry = (expiresIn: number): Partial<Item> => ({
            expiresAt: expiresIn === 0 ? 0 : NOW + expiresIn,
            ttlShift: expiresIn === 0 ? 0 : ttlShift(expiresIn),
          });
          for (const step of steps) {
            const old = 'key' in step ? model.get(step.key) : undefined;
            switch (step.kind) {
              case 'put':
                model.set(step.key, store.put(step.key, old, newItem(store, step.length, expiry(step.expiresIn))));
                break;
              case 'restate':
                if (old === undefined) break;
                model.set(step.key, { ...old, ...expiry(step.expiresIn) });
                store.restate(step.key, old, { ...model.get(step.key)!, value: old.place === undefined ? old.value : undefined });
                break;
              case 'remove':
                if (old !== undefined) store.remove(step.key, old);
                model.delete(step.key);
                break;
              case 'copy': {
                if (old?.place === undefined) break;
                const copy = store.copy(step.key, old, recordOf(step.key, old), step.isKept);
                copies.set(step.key, { copy, place: old.place });
                await store.copies.write([copy]);
                await store.copies.sync([copy]);
                break;
              }
              case 'relocate': {
                const begun = copies.get(step.key);
                if (begun === undefined) break;
                copies.delete(step.key);
                const moved = store.relocate(begun.copy);
                expect(moved !== undefined).toBe(old?.place !== undefined && isDeepStrictEqual(old.place, begun.place));
                if (moved !== undefined) model.set(step.key, { ...moved, value: old!.value });
                break;
              }
              case 'drop': {
                const begun = copies.get(step.key);
                if (begun === undefined) break;
                copies.delete(step.key);
                store.copies.drop([begun.copy]);
                break;
              }
              case 'commit':
                await store.inLevel();
                break;
              case 'sync':
                await store.sync();
                break;
              case 'reopen':
                await store.close();
                await checkStore(directory);
                copies.clear();
                store = await openStore(directory);
                break;
            }
            const state = store.state;
            expect(state.items).toBe(model.size);
            let bytes = 0;
            for (const [key, item] of model) {
              bytes += key.length + item.length;
              if (item.place !== undefined) expect(store.deadRecords.has(item.place.segment, item.place.offset)).toBe(false);
            }
            const place = 'key' in step ? model.get(step.key)?.place : undefined;
            if (old?.place !== undefined && old.place.offset !== place?.offset) {
              expect(store.deadRecords.has(old.place.segment, old.place.offset)).toBe(true);
            }
            expect(state.bytes).toBe(bytes);
          }
          await store.inLevel();
          for (const [key, item] of model) expect(await load(store, key)).toEqual(item);
          await store.close();
          const { items } = await checkStore(directory);
          expect([...items.keys()].toSorted()).toEqual([...model.keys()].toSorted());
        });
      }),
      { numRuns: 25 },
    );
  });
});

describe('Store index', () => {
  it('lists an item until its row is dropped', async () => {
    const store = await openStore(tempDirectory());
    store.put('key', undefined, newItem(store, 1, { expiresAt: NOW + 10 }));
    await store.inLevel();
    expect((await store.dueRows(NOW + 9, 100)).rows).toEqual([]);
    const { rows } = await store.dueRows(NOW + 10, 100);
    expect(rows).toHaveLength(1);
    expect(await store.dueKeys(rows[0]!.id)).toEqual(['key']);
    store.dropDueRow(rows[0]!.id, 1, []);
    await store.inLevel();
    expect((await store.dueRows(NOW + 10, 100)).rows).toEqual([]);
    expect(store.state.indexEntries).toBe(0);
    await store.close();
  });

  it('shows rows in portions that go on where the last ended', async () => {
    const store = await openStore(tempDirectory());
    for (let i = 0; i < 10; i++) store.put(`key ${i}`, undefined, newItem(store, 1, { expiresAt: NOW + 1 + i }));
    await store.inLevel();
    const deadlines: number[] = [];
    let after: string | undefined;
    do {
      const { rows, next } = await store.dueRows(NOW + 8, 3, after);
      expect(rows.length).toBeLessThanOrEqual(3);
      deadlines.push(...rows.map(({ deadline }) => deadline - NOW));
      after = next;
    } while (after !== undefined);
    expect(deadlines).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await store.close();
  });

  it('still shows an item that is stored with an earlier expiry than all that was swept', async () => {
    const store = await openStore(tempDirectory());
    expect((await store.dueRows(NOW + 1000, 10)).rows).toEqual([]);
    store.put('key', undefined, newItem(store, 1, { expiresAt: NOW + 5 }));
    const staged = store.dueRows(NOW + 1000, 10);
    await store.inLevel();
    await staged;
    expect((await store.dueRows(NOW + 1000, 10)).rows).toHaveLength(1);
    expect(await store.oldestDeadline()).toBe(NOW + 5);
    await store.close();
  });
});

describe('Store.open', () => {
  async function refusal(opening: Promise<Store>): Promise<TugelaError> {
    const error = await opening.then(
      async (store) => {
        await store.close();
        throw new Error('was opened');
      },
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(TugelaError);
    return error as TugelaError;
  }

  it('refuses a directory that holds something else, and leaves it untouched', async () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'thesis.txt'), 'years of work');
    const before = snapshot(directory);
    const error = await refusal(openStore(directory));
    expect(error.code).toBe('TUGELA_STORE_FOREIGN');
    expect(error.message).toContain(`Cannot open store at ${directory}: it is not empty and not a tugela-ts store`);
    expect(snapshot(directory)).toEqual(before);
  });

  it('refuses a LevelDB of somebody else, and leaves it untouched', async () => {
    const directory = tempDirectory();
    const { ClassicLevel } = await import('classic-level');
    const db = new ClassicLevel(directory);
    await db.put('key', 'value');
    await db.close();
    const before = snapshot(directory);
    expect((await refusal(openStore(directory))).code).toBe('TUGELA_STORE_FOREIGN');
    expect(snapshot(directory)).toEqual(before);
  });

  it('refuses a store of a newer format, and leaves it untouched', async () => {
    const directory = tempDirectory();
    await (await openStore(directory)).close();
    writeFileSync(join(directory, 'TUGELA'), 'tugela-ts store\nformat 2\n');
    const before = snapshot(directory);
    const error = await refusal(openStore(directory));
    expect(error.code).toBe('TUGELA_STORE_FORMAT');
    expect(error.message).toBe(`Cannot open store at ${directory}: it has format 2, this version knows up to 1; use the newer tugela-ts`);
    expect(snapshot(directory)).toEqual(before);
  });

  it('refuses a format file that it cannot read as its own', async () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'TUGELA'), 'a river in KwaZulu-Natal');
    expect((await refusal(openStore(directory))).code).toBe('TUGELA_STORE_FOREIGN');
  });

  it('names the directory when its format file is not even a file', async () => {
    const directory = tempDirectory();
    mkdirSync(join(directory, 'TUGELA'));
    expect((await refusal(openStore(directory))).message).toContain(`Cannot open store at ${directory}: `);
  });

  it('makes a store in a directory in which making one was interrupted', async () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'TUGELA.new'), 'tug');
    await (await openStore(directory)).close();
    await checkStore(directory);
  });

  it('makes no store where one must exist', async () => {
    const directory = tempDirectory();
    expect((await refusal(openStore(directory, { mustExist: true }))).code).toBe('TUGELA_STORE_FOREIGN');
    expect(readdirSync(directory)).toEqual([]);
    const missing = join(directory, 'missing');
    expect((await refusal(openStore(missing, { mustExist: true }))).code).toBe('TUGELA_STORE_FAILED');
    expect(existsSync(missing)).toBe(false);
  });

  it('names the process that holds the directory', async () => {
    const directory = tempDirectory();
    await (await openStore(directory)).close();
    const program = `
      import { ClassicLevel } from 'classic-level';
      const db = new ClassicLevel(${JSON.stringify(directory)});
      await db.open();
      process.stdout.write('open');
      process.stdin.on('end', () => process.exit()).resume();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      writeFileSync(join(directory, 'OWNER'), `${child.pid}\n`);
      const error = await refusal(openStore(directory));
      expect(error.code).toBe('TUGELA_STORE_LOCKED');
      expect(error.message).toBe(`Cannot open store at ${directory}: process ${child.pid} holds it`);
      expect(readFileSync(join(directory, 'OWNER'), 'utf8')).toBe(`${child.pid}\n`);
    } finally {
      child.stdin.end();
      await once(child, 'exit');
    }
  });

  it('leaves its pid for others while it is open', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    expect(readFileSync(join(directory, 'OWNER'), 'utf8')).toBe(`${process.pid}\n`);
    await store.close();
  });

  it('keeps all that was committed when the process is killed', async () => {
    const directory = tempDirectory();
    const build = join(import.meta.dirname, '../../dist/src/store/store.js');
    if (!existsSync(build)) return;
    const program = `
      import { Store } from ${JSON.stringify(build)};
      const store = await Store.open(${JSON.stringify(directory)}, { blockCacheBytes: 1 << 20, syncEveryBatch: false, onFailed() {} });
      for (let i = 0; i < 200; i++) {
        const value = Buffer.alloc(i * 10, i);
        store.put('key ' + i, undefined, { flags: i, expiresAt: ${NOW} + i, storedAt: ${NOW}, cas: store.nextCas(), ttlShift: 2, bits: 0, chosenCas: undefined, length: value.length, value, place: undefined });
        if (i % 20 === 0) await store.inLevel();
      }
      await store.inLevel();
      process.kill(process.pid, 'SIGKILL');`;
    await new Promise<void>((resolve) => execFile(process.execPath, ['--input-type=module', '-e', program], () => resolve()));
    const { items } = await checkStore(directory);
    expect(items.size).toBe(200);
  });
});

describe('Store after a failed batch', () => {
  it.each([
    ['LevelDB', (): void => void vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(new Error('disk full'))],
    ['the value log', (): void => void vi.spyOn(ValueLog.prototype, 'write').mockRejectedValueOnce(new Error('disk full'))],
  ])('of %s tells all waiters, forgets its keys, refuses writes, and serves the committed state when opened anew', async (_what, breakIt) => {
    const directory = tempDirectory();
    const failed: string[] = [];
    const store = await openStore(directory, { onFailed: (keys) => failed.push(...keys) });
    const small = store.put('small', undefined, newItem(store, 10, { expiresAt: NOW + 100 }));
    const large = store.put('large', undefined, newItem(store, 5000));
    await store.inLevel();
    breakIt();

    store.put('small', small, newItem(store, 20));
    store.put('large', large, newItem(store, 6000, { expiresAt: NOW + 100 }));
    const first = expect(store.inLevel()).rejects.toMatchObject({
      code: 'TUGELA_STORE_FAILED',
      message: `Cannot write to store at ${directory}: disk full`,
    });
    await new Promise((resolve) => setImmediate(resolve));
    store.put('late', undefined, newItem(store, 30));
    const second = expect(store.inLevel()).rejects.toMatchObject({ code: 'TUGELA_STORE_FAILED' });
    await first;
    await second;
    expect(failed.toSorted()).toEqual(['large', 'late', 'small']);
    expect(store.hasPending).toBe(false);

    store.put('later', undefined, newItem(store, 30));
    await expect(store.inLevel()).rejects.toMatchObject({ code: 'TUGELA_STORE_FAILED' });
    expect(failed).toContain('later');
    await expect(store.inLevel()).rejects.toMatchObject({ code: 'TUGELA_STORE_FAILED' });
    expect(await load(store, 'small')).toEqual(small);
    expect(await load(store, 'large')).toEqual(large);

    // It seemed replaced.
    const { segment, offset } = large.place!;
    expect(store.deadRecords.has(segment, offset)).toBe(true);
    await store.reopen();
    expect(store.failure).toBeUndefined();
    expect(store.deadRecords.has(segment, offset)).toBe(false);
    expect(store.state.items).toBe(2);
    expect(await load(store, 'small')).toEqual(small);
    expect(await load(store, 'large')).toEqual(large);
    store.put('large', large, newItem(store, 7000));
    await store.close();
    const { items } = await checkStore(directory);
    expect([...items.keys()].toSorted()).toEqual(['large', 'small']);
  });

  it('does not count mutations that arrive while it is opened anew', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(new Error('disk full'));
    store.put('first', undefined, newItem(store, 10));
    await expect(store.inLevel()).rejects.toThrow();
    let reopened = false;
    const reopening = store.reopen().finally(() => {
      reopened = true;
    });
    const outcomes: Promise<unknown>[] = [];
    const kept: string[] = [];
    const isOver = (): boolean => reopened;
    for (let i = 0; !isOver(); i++) {
      store.put(`during ${i}`, undefined, newItem(store, i % 2 === 0 ? 10 : 5000));
      outcomes.push(store.inLevel().then(() => kept.push(`during ${i}`), () => undefined));
      await (i % 3 === 0 ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve());
    }
    await reopening;
    await Promise.all(outcomes);
    expect(store.failure).toBeUndefined();
    await store.close();
    const { items } = await checkStore(directory);
    expect([...items.keys()].toSorted()).toEqual(kept.toSorted());
  });

  it('lets go of the directory when closed', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(new Error('disk full'));
    store.put('key', undefined, newItem(store, 10));
    await store.inLevel().catch(() => undefined);
    await store.close();
    await (await openStore(directory)).close();
  });

  it('lets go of the directory when the last batch fails on the way out', async () => {
    const directory = tempDirectory();
    const store = await openStore(directory);
    vi.spyOn(RowBatch.prototype, 'write').mockRejectedValueOnce(new Error('disk full'));
    store.put('key', undefined, newItem(store, 10));
    await expect(store.close()).rejects.toMatchObject({ code: 'TUGELA_STORE_FAILED' });
    await (await openStore(directory)).close();
  });
});
