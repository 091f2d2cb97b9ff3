import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeldFiles } from '../../src/store/held-files.ts';
import { Store } from '../../src/store/store.ts';
import { buildItem } from '../support/build-item.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const DESCRIPTORS = '/proc/self/fd';

/** Names of files of a directory that are open in this process, with ` (deleted)` behind those that were removed. */
function openFiles(directory: string): string[] {
  return readdirSync(DESCRIPTORS)
    .map((fd) => {
      try {
        return readlinkSync(join(DESCRIPTORS, fd));
      } catch {
        // The one that the listing was made with.
        return '';
      }
    })
    .filter((path) => path.startsWith(`${directory}/`))
    .map((path) => path.slice(directory.length + 1))
    .toSorted();
}

function file(directory: string, number: number, end = 'ldb'): string {
  const path = join(directory, `${String(number).padStart(6, '0')}.${end}`);
  writeFileSync(path, 'x');
  return path;
}

describe.runIf(existsSync(DESCRIPTORS))('HeldFiles', () => {
  it("keeps LevelDB's tables and logs open, and nothing else", async () => {
    const directory = tempDirectory();
    file(directory, 5);
    file(directory, 7, 'log');
    for (const name of ['CURRENT', 'LOCK', 'LOG', 'MANIFEST-000004', 'owner', '000009.tmp']) writeFileSync(join(directory, name), 'x');
    mkdirSync(join(directory, 'values'));
    const held = new HeldFiles(directory, () => 0);
    await held.look();
    expect(openFiles(directory)).toEqual(['000005.ldb', '000007.log']);
    await held.stop();
    expect(openFiles(directory)).toEqual([]);
  });

  it('closes what was removed with the next look', async () => {
    const directory = tempDirectory();
    const removed = file(directory, 1);
    file(directory, 2);
    const held = new HeldFiles(directory, () => 0);
    await held.look();
    rmSync(removed);
    file(directory, 3);
    expect(openFiles(directory)).toEqual(['000001.ldb (deleted)', '000002.ldb']);
    await held.look();
    expect(openFiles(directory)).toEqual(['000002.ldb', '000003.ldb']);
    await held.stop();
  });

  it('holds the 100 newest, also where numbers have seven digits', async () => {
    const directory = tempDirectory();
    for (let number = 999_950; number < 1_000_100; number++) file(directory, number);
    const held = new HeldFiles(directory, () => 0);
    await held.look();
    const names = openFiles(directory);
    expect(names).toHaveLength(100);
    expect(names).toContain('1000000.ldb');
    expect(names).not.toContain('999999.ldb');
    for (let number = 1_000_100; number < 1_000_110; number++) file(directory, number);
    await held.look();
    expect(openFiles(directory)).toHaveLength(100);
    expect(openFiles(directory)).toContain('1000109.ldb');
    await held.stop();
  });

  it('looks by itself, and minds neither a file nor a directory that is gone', async () => {
    const directory = join(tempDirectory(), 'store');
    mkdirSync(directory);
    file(directory, 1);
    let written = 0;
    const held = new HeldFiles(directory, () => ++written);
    held.start();
    await expect.poll(() => openFiles(directory), { timeout: 10_000 }).toEqual(['000001.ldb']);
    rmSync(join(directory, '000001.ldb'));
    await expect.poll(() => openFiles(directory), { timeout: 10_000 }).toEqual([]);
    rmSync(directory, { recursive: true });
    await held.look();
    await held.stop();
  });

  it('leaves none of the files open that a store has compacted away, nor any once it is closed', async () => {
    const directory = tempDirectory();
    const store = await Store.open(directory, { blockCacheBytes: 2 ** 20, syncEveryBatch: false, onFailed: () => undefined, holdsFiles: true, writeBufferBytes: 2 ** 16, tableBytes: 2 ** 20 });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5000; i++) store.put(`k${i}`, undefined, buildItem({ value: Buffer.alloc(100, round), cas: store.nextCas() }));
      await store.inLevel();
    }
    await expect.poll(() => openFiles(directory).filter((name) => /^\d+\.(?:ldb|log)$/.test(name)).length, { timeout: 10_000 }).toBeGreaterThan(1);
    await store.compactAll();
    await expect.poll(() => openFiles(directory).filter((name) => name.endsWith('(deleted)')), { timeout: 10_000 }).toEqual([]);
    await store.close();
    expect(openFiles(directory)).toEqual([]);
  });
});
