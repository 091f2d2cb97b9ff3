import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FORMAT_VERSION } from '../../src/store/directory.ts';
import { Store } from '../../src/store/store.ts';
import { StoreReader } from '../../src/tools/store-reader.ts';
import type { Contents } from '../fixtures/stores/contents.ts';
import { readContents } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/stores');
const names = readdirSync(FIXTURES).filter((name) => existsSync(join(FIXTURES, name, 'store')));

function copyOf(name: string): string {
  const path = join(tempDirectory(), 'store');
  cpSync(join(FIXTURES, name, 'store'), path, { recursive: true });
  return path;
}

function contentsOf(name: string): Contents {
  return JSON.parse(readFileSync(join(FIXTURES, name, 'contents.json'), 'utf8')) as Contents;
}

it('there is a store of every format that was released', () => {
  const formats = names.map((name) => /^tugela-ts store\nformat (\d+)\n/.exec(readFileSync(join(FIXTURES, name, 'store/TUGELA'), 'utf8'))?.[1]);
  expect(new Set(formats)).toEqual(new Set(Array.from({ length: FORMAT_VERSION }, (_, i) => String(i + 1))));
});

describe.each(names)('a store of %s', (name) => {
  const contents = contentsOf(name);

  it('has nothing wrong, and holds all that was in it', async () => {
    const { items, faults, state } = await readContents(copyOf(name));
    expect(faults).toEqual([]);
    expect([...items.keys()].toSorted()).toEqual([...contents.items.map(({ key }) => key), ...contents.flushed].toSorted());
    for (const { key, chosenCas, flags, expiresAt, storedAt, cas, bits, length } of contents.items) {
      const item = items.get(key);
      expect(item, key).toMatchObject({ flags, expiresAt, storedAt, cas, bits, length });
      expect(item?.chosenCas === undefined ? null : String(item.chosenCas), key).toBe(chosenCas);
    }
    expect(state).toMatchObject({ items: contents.stored, flushAt: contents.flushAt });
  });

  it('is opened, read, written and opened again, and still has nothing wrong', async () => {
    const directory = copyOf(name);
    const opened = await OpenCache.open(directory, undefined, new ManualClock(contents.now));
    for (const { key, value } of contents.items) expect((await opened.get(key))?.toString('base64') ?? null, key).toBe(value);
    for (const key of contents.flushed) expect(await opened.get(key), key).toBeUndefined();
    expect(await opened.store.hand()).toBe(contents.hand);
    expect([...(await opened.store.jobs())].map(([number, { prefix }]) => ({ number, prefix }))).toEqual(contents.jobs);
    const { cas } = opened.store.state;
    expect(cas).toBeGreaterThanOrEqual(Math.max(...contents.items.map((item) => item.cas)));
    await opened.set('large', Buffer.alloc(3000, 'n'), 60);
    await opened.set('new', Buffer.from('new'));
    expect(await opened.delete('timed large')).toBe('deleted');
    await opened.reopen();
    expect((await opened.get('large'))?.length).toBe(3000);
    expect(await opened.get('timed large')).toBeUndefined();
    expect((await opened.get('inline'))?.toString()).toBe('value');
    // The flush_all that was to come comes.
    opened.clock.seconds = contents.flushAt;
    expect(await opened.get('inline')).toBeUndefined();
    await opened.close();
    expect((await readContents(directory)).faults).toEqual([]);
  });

  it('knows what is under its quotas, or that it does not', async () => {
    const directory = copyOf(name);
    const prefixes = ['q:'];
    const store = await Store.open(directory, { blockCacheBytes: 2 ** 20, syncEveryBatch: false, countedPrefixes: prefixes, onFailed: () => undefined });
    const counted = store.counted?.all.filter(({ isCounted }) => isCounted).map(({ prefix, items, bytes }) => ({ prefix, items, bytes }));
    await store.close();
    expect(counted).toEqual(contents.quotas);
  });

  it('is refused, and left untouched, once it is of a format of tomorrow', async () => {
    const directory = copyOf(name);
    writeFileSync(join(directory, 'TUGELA'), `tugela-ts store\nformat ${FORMAT_VERSION + 1}\n`);
    const before = filesOf(directory);
    const refused = { code: 'TUGELA_STORE_FORMAT' };
    await expect(OpenCache.open(directory)).rejects.toMatchObject(refused);
    await expect(StoreReader.open(directory)).rejects.toMatchObject(refused);
    expect(filesOf(directory)).toEqual(before);
  });
});

function filesOf(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(files.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'latin1')]));
}
