import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { crc32c } from '../../src/store/crc32c.ts';
import type { LogCut } from '../../src/store/level-mend.ts';
import { inspectLevel } from '../../src/store/level-check.ts';
import { readLevelLog } from '../../src/store/level-log.ts';
import { Store } from '../../src/store/store.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const ITEMS = 400;
const VALUE_BYTES = 200;

let directory: string;

/** The only file of a kind. */
function fileOf(store: string, ending: RegExp): string {
  const names = readdirSync(store).filter((name) => ending.test(name));
  expect(names).toHaveLength(1);
  return join(store, names[0]!);
}

async function openStore(path: string): Promise<{ store: Store; cuts: LogCut[] }> {
  const cuts: LogCut[] = [];
  const store = await Store.open(path, { blockCacheBytes: 2 ** 20, syncEveryBatch: false, onFailed: () => undefined, onLogCut: (cut) => cuts.push(cut) });
  return { store, cuts };
}

async function keysOf(store: Store): Promise<number> {
  const items = await store.fetch(Array.from({ length: ITEMS }, (_, i) => `key ${i}`));
  const missing = items.findIndex((item) => item === undefined);
  expect(items.slice(missing < 0 ? ITEMS : missing).every((item) => item === undefined)).toBe(true);
  return missing < 0 ? ITEMS : missing;
}

/** A copy of a store of 400 items, each of a batch of its own in a log of some 200 KB, never closed. */
function copy(): string {
  const path = tempDirectory();
  cpSync(directory, path, { recursive: true });
  return path;
}

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}

/** Contents of all files but those that LevelDB or we write at every attempt. */
function filesOf(path: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
    if (/^(LOG|LOG\.old|LOCK|OWNER)$/.test(name) || statSync(join(path, name)).isDirectory()) continue;
    files[name] = readFileSync(join(path, name), 'latin1');
  }
  return files;
}

beforeAll(async () => {
  const live = mkdtempSync(join(tmpdir(), 'tugela-test-'));
  const { store } = await openStore(live);
  for (let i = 0; i < ITEMS; i++) {
    store.put(`key ${i}`, undefined, buildItem({ value: bytesOf(VALUE_BYTES, i), cas: store.nextCas() }));
    await store.inLevel();
  }
  directory = `${live}-copy`;
  cpSync(live, directory, { recursive: true });
  await store.close();
  return () => {
    rmSync(live, { recursive: true });
    rmSync(directory, { recursive: true });
  };
});

it('crc32c() is that of the standard', () => {
  const text = Buffer.from('123456789');
  expect(crc32c(text, 0, 9)).toBe(0xe3069283);
  expect(crc32c(Buffer.concat([Buffer.from('x'), text]), 1, 10)).toBe(0xe3069283);
});

describe('opening a store whose LevelDB files are', () => {
  it('whole leaves nothing out', async () => {
    const path = copy();
    expect(await inspectLevel(path)).toEqual({ kind: 'whole' });
    const { store, cuts } = await openStore(path);
    expect(await keysOf(store)).toBe(ITEMS);
    expect(cuts).toEqual([]);
    await store.close();
  });

  it('cut off in the last write leaves that one out, and says so', async () => {
    const path = copy();
    const log = fileOf(path, /\.log$/);
    truncateSync(log, statSync(log).size - 1);
    const { store, cuts } = await openStore(path);
    expect(await keysOf(store)).toBe(ITEMS - 1);
    expect(cuts).toMatchObject([{ aside: undefined }]);
    await store.close();
    await checkStore(path);
  });

  // LevelDB dropped the rest of that block, took what came after it, and said nothing: items were gone that had been acknowledged
  // and forced to disk, and counters and index did not fit the others.
  it.each([
    ['a flipped bit in a write', (log: Buffer, at: number) => (log[at + 40] = log[at + 40]! ^ 1)],
    ['a flipped bit in the length of a write', (log: Buffer, at: number) => (log[at + 5] = log[at + 5]! ^ 0x40)],
    ['a flipped bit in the kind of a write', (log: Buffer, at: number) => (log[at + 6] = log[at + 6]! ^ 2)],
    ['garbage', (log: Buffer, at: number) => log.fill(0xa5, at, at + 3000)],
  ])('damaged by %s in the middle of the log is refused, and nothing is changed', async (_name, damage) => {
    const path = copy();
    const log = fileOf(path, /\.log$/);
    const { records } = readLevelLog(readFileSync(log));
    const at = records[150]!.start;
    change(log, (bytes) => void damage(bytes, at));
    const before = filesOf(path);
    await expect(openStore(path)).rejects.toMatchObject({ code: 'TUGELA_STORE_CORRUPT', message: expect.stringMatching(new RegExp(`log .*\\.log is damaged at offset ${at}; "tugela-ts store repair`)) });
    expect(filesOf(path)).toEqual(before);
  });

  it('with a hole that was never written opens as of before the hole, and sets aside what came after it', async () => {
    const path = copy();
    const log = fileOf(path, /\.log$/);
    const { records } = readLevelLog(readFileSync(log));
    const from = Math.ceil(records[150]!.start / 4096) * 4096;
    change(log, (bytes) => bytes.fill(0, from, from + 4096));
    const whole = records.filter(({ end }) => end <= from).length;
    const damaged = readFileSync(log);
    const { store, cuts } = await openStore(path);
    expect(await keysOf(store)).toBe(whole);
    expect(cuts).toMatchObject([{ offset: records[whole - 1]!.end, bytes: damaged.length - records[whole - 1]!.end, aside: join(path, 'lost') }]);
    expect(readFileSync(fileOf(join(path, 'lost'), /\.log$/)).equals(damaged)).toBe(true);
    await store.close();
    await checkStore(path);
  });

  it('without the older of two logs opens as of its end', async () => {
    const path = copy();
    const log = fileOf(path, /\.log$/);
    const bytes = readFileSync(log);
    const { records } = readLevelLog(bytes);
    // In its second block, so that the newer log can begin at a block's start.
    const second = bytes.subarray(32 * 1024);
    const number = Number.parseInt(log.split('/').at(-1)!, 10) + 1;
    writeFileSync(join(path, `${String(number).padStart(6, '0')}.log`), second);
    truncateSync(log, records[20]!.end);
    const { store, cuts } = await openStore(path);
    expect(await keysOf(store)).toBe(21);
    expect(cuts).toMatchObject([{ offset: records[20]!.end, aside: join(path, 'lost') }]);
    await store.close();
    await checkStore(path);
  });

  // LevelDB made an empty database, and removed the tables; then we removed the value segments.
  it.each([
    ['without CURRENT', (path: string) => rmSync(join(path, 'CURRENT')), /CURRENT is not there/],
    ['without a log', (path: string) => rmSync(fileOf(path, /\.log$/)), /log \d+\.log is not there/],
    ['with an empty CURRENT', (path: string) => truncateSync(join(path, 'CURRENT'), 0), /CURRENT names no manifest/],
    ['with a CURRENT that names another manifest', (path: string) => writeFileSync(join(path, 'CURRENT'), 'MANIFEST-000999\n'), /MANIFEST-000999 is not there/],
    ['without a manifest', (path: string) => rmSync(fileOf(path, /^MANIFEST/)), /MANIFEST-\d+ is not there/],
    ['with an empty manifest', (path: string) => truncateSync(fileOf(path, /^MANIFEST/), 0), /MANIFEST-\d+ is empty/],
    ['with a manifest that was overwritten', (path: string) => writeFileSync(fileOf(path, /^MANIFEST/), 'nothing of the kind, but long enough to have a head'), /MANIFEST-\d+ is damaged at offset 0/],
  ])('%s is refused, and nothing is changed', async (_name, damage, said) => {
    const path = copy();
    damage(path);
    const before = filesOf(path);
    await expect(openStore(path)).rejects.toMatchObject({ code: 'TUGELA_STORE_CORRUPT', message: expect.stringMatching(said) });
    expect(filesOf(path)).toEqual(before);
  });

  it.each([
    ['is gone', (table: string) => rmSync(table), /table \d+\.ldb is not there/],
    ['is cut off', (table: string) => truncateSync(table, 1000), /table \d+\.ldb has 1000 bytes of \d+/],
    ['was overwritten', (table: string) => change(table, (bytes) => bytes.fill(0)), /table \d+\.ldb does not end as a table does/],
  ])('a manifest and a table that %s are refused, and nothing is changed', async (_name, damage, said) => {
    const path = copy();
    await (await openStore(path)).store.close();
    damage(fileOf(path, /\.ldb$/));
    const before = filesOf(path);
    await expect(openStore(path)).rejects.toMatchObject({ code: 'TUGELA_STORE_CORRUPT', message: expect.stringMatching(said) });
    expect(filesOf(path)).toEqual(before);
  });

  it('those of a first start that was broken off are made anew', async () => {
    const path = tempDirectory();
    copyFileSync(join(directory, 'TUGELA'), join(path, 'TUGELA'));
    writeFileSync(join(path, 'MANIFEST-000001'), '');
    writeFileSync(join(path, 'LOCK'), '');
    const { store } = await openStore(path);
    await store.close();
    expect(existsSync(join(path, 'lost'))).toBe(false);
  });
});
