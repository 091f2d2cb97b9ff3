import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openInput, readDump } from '../../src/tools/dump-input.ts';
import { writeOutput } from '../../src/tools/dump-output.ts';
import { loadIntoStore } from '../../src/tools/load-store.ts';
import { tempDirectory, withTempDirectory } from '../support/temp-directory.ts';
import { OpenCache } from '../support/open-cache.ts';
import { anyItems, byKey, dumpOf, dumpStore, itemsIn, makeStore, newItem, NOW, pagesOf, verify } from './dumps.ts';

const all = { prefix: '', now: NOW };

describe('a dump of a store, loaded into a new one', () => {
  it('brings every item with all that is known of it, and the store agrees with itself', async () => {
    await fc.assert(
      fc.asyncProperty(anyItems, (items) =>
        withTempDirectory(async (directory) => {
          const [first, second] = [join(directory, 'first'), join(directory, 'second')];
          await makeStore(first, items);
          const dump = await dumpStore(first);
          expect(itemsIn(dump)).toEqual(byKey(items));
          const report = await loadIntoStore(second, pagesOf(dump), false, all);
          expect(report).toMatchObject({ loaded: items.length, expired: 0, other_keys: 0, replaced: 0 });
          expect(await dumpStore(second)).toEqual(dump);
          expect(await verify(second)).toMatchObject({ items: items.length, findings: [] });
        }),
      ),
      { numRuns: 8 },
    );
  });

  it('leaves the highest cas unique behind, so that later stores are later', async () => {
    const directory = join(tempDirectory(), 'new');
    await loadIntoStore(directory, pagesOf(dumpOf([newItem('a', 'x', { cas: 1000 })])), false, all);
    const open = await OpenCache.open(directory);
    expect(open.store.state.cas).toBeGreaterThan(1000);
    await open.close();
  });
});

describe('dumping', () => {
  it('leaves out what is expired or flushed', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory);
    await open.set('flushed', Buffer.from('x'));
    open.cache.flushAll(0);
    await open.set('alive', Buffer.from('x'));
    await open.set('expired', Buffer.from('x'), 10);
    await open.set('later', Buffer.from('x'), 1000);
    const now = open.clock.now();
    await open.close();
    expect(itemsIn(await dumpStore(directory, '', now + 10)).map(({ key }) => key)).toEqual(['alive', 'later']);
  });

  it('heeds a flush whose time came while the server was stopped', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory);
    await open.set('a', Buffer.from('x'));
    open.cache.flushAll(100);
    const now = open.clock.now();
    await open.close();
    expect(itemsIn(await dumpStore(directory, '', now + 99))).toHaveLength(1);
    expect(itemsIn(await dumpStore(directory, '', now + 100))).toHaveLength(0);
  });

  it('takes keys with a prefix only', async () => {
    const directory = tempDirectory();
    await makeStore(directory, ['a', 'b', 'b:1', 'b\xff', 'c'].map((key, i) => newItem(key, 'x', { cas: i + 1 })));
    expect(itemsIn(await dumpStore(directory, 'b')).map(({ key }) => key)).toEqual(['b', 'b:1', 'b\xff']);
  });

  it('changes nothing in the store', async () => {
    const directory = tempDirectory();
    await makeStore(directory, [newItem('a', 'x', { expiresAt: NOW + 5 }), newItem('b', Buffer.alloc(1000), { cas: 2 })]);
    const first = await dumpStore(directory);
    expect(await dumpStore(directory)).toEqual(first);
  });
});

describe('loading', () => {
  it('refuses a directory with something in it', async () => {
    const directory = tempDirectory();
    await makeStore(directory, []);
    await expect(loadIntoStore(directory, pagesOf(dumpOf([])), false, all)).rejects.toThrow(/is not empty; .*--merge/);
  });

  it('leaves no store behind for what is no dump', async () => {
    const directory = join(tempDirectory(), 'new');
    await expect(loadIntoStore(directory, pagesOf(Buffer.from('hello\n')), false, all)).rejects.toThrow(/no dump/);
    expect(existsSync(directory)).toBe(false);
  });

  it('leaves out what expired since, and other keys', async () => {
    const directory = tempDirectory();
    const dump = dumpOf([newItem('k:old', 'x', { expiresAt: NOW - 1 }), newItem('k:new', 'x', { expiresAt: NOW + 1, cas: 2 }), newItem('other', 'x', { cas: 3 })]);
    expect(await loadIntoStore(directory, pagesOf(dump), false, { prefix: 'k:', now: NOW })).toEqual({ loaded: 1, bytes: 6, expired: 1, other_keys: 1, replaced: 0 });
  });

  it('on top of a store replaces its items and counts right, whatever is in both', async () => {
    await fc.assert(
      fc.asyncProperty(anyItems, anyItems, (before, after) =>
        withTempDirectory(async (directory) => {
          await makeStore(directory, before);
          const report = await loadIntoStore(directory, pagesOf(dumpOf(after)), true, all);
          const keys = new Set(after.map(({ key }) => key));
          const kept = before.filter(({ key }) => !keys.has(key));
          expect(report.replaced).toBe(before.length - kept.length);
          const found = itemsIn(await dumpStore(directory));
          expect(found.map(({ key, value }) => [key, value])).toEqual(byKey([...kept, ...after]).map(({ key, value }) => [key, value]));
          const highestKept = Math.max(0, ...kept.map(({ cas }) => cas));
          for (const { key, cas } of found) if (keys.has(key)) expect(cas).toBeGreaterThan(highestKept);
          expect((await verify(directory)).findings).toEqual([]);
        }),
      ),
      { numRuns: 6 },
    );
  });

  it('takes the last of items with the same key', async () => {
    const directory = tempDirectory();
    await loadIntoStore(directory, pagesOf(dumpOf([newItem('a', 'one'), newItem('a', Buffer.alloc(300, 2), { cas: 2 })])), false, all);
    expect(itemsIn(await dumpStore(directory))).toMatchObject([{ cas: 2, value: Buffer.alloc(300, 2) }]);
    expect((await verify(directory)).findings).toEqual([]);
  });
});

describe('files', () => {
  const dump = dumpOf([newItem('a', 'x'.repeat(10_000))]);

  async function itemsOf(path: string): Promise<number> {
    let count = 0;
    for await (const page of readDump(openInput(path))) count += page.length;
    return count;
  }

  async function* chunks(): AsyncGenerator<Buffer> {
    yield dump.subarray(0, 100);
    yield dump.subarray(100);
  }

  it('are written whole, packed or not, and read either way', async () => {
    const directory = tempDirectory();
    await writeOutput(chunks(), { path: join(directory, 'plain'), gzip: false });
    await writeOutput(chunks(), { path: join(directory, 'packed'), gzip: true });
    expect(readFileSync(join(directory, 'plain'))).toEqual(dump);
    expect(gunzipSync(readFileSync(join(directory, 'packed')))).toEqual(dump);
    expect(await itemsOf(join(directory, 'plain'))).toBe(1);
    expect(await itemsOf(join(directory, 'packed'))).toBe(1);
  });

  it('stay as they were when a dump breaks off', async () => {
    const path = join(tempDirectory(), 'dump');
    writeFileSync(path, 'before');
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield dump.subarray(0, 100);
      throw new Error('broken off');
    };
    await expect(writeOutput(broken(), { path, gzip: false })).rejects.toThrow('broken off');
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(dirname(path)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('that are truncated or missing are told as such', async () => {
    const path = join(tempDirectory(), 'dump');
    writeFileSync(path, gzipSync(dump).subarray(0, -20));
    await expect(itemsOf(path)).rejects.toThrow(/gzip data is truncated/);
    writeFileSync(path, dump.subarray(0, -1));
    await expect(itemsOf(path)).rejects.toThrow(/without its line END/);
    writeFileSync(path, '');
    await expect(itemsOf(path)).rejects.toThrow(/line 1: the dump ends here/);
    await expect(itemsOf(`${path}x`)).rejects.toThrow(/Cannot read dump from .*dumpx: ENOENT/);
  });
});
