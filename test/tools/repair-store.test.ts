import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Findings } from '../../src/tools/findings.ts';
import { repairInPlace } from '../../src/tools/repair-in-place.ts';
import { repairInto, type SalvageReport } from '../../src/tools/repair-into.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { damages, flipInSegment, makeSample, segmentOf } from './damage.ts';
import { dumpStore, itemsIn, makeStore, newItem, NOW, tamper, verify } from './dumps.ts';

const ALL = ['a', 'b', 'c', 'd', 'e', 'expires', 'large', 'large timed'];

async function keysIn(directory: string): Promise<string[]> {
  return itemsIn(await dumpStore(directory)).map(({ key }) => key);
}

async function into(source: string, target: string, fromValues = false): Promise<SalvageReport & { shown: string[] }> {
  const lost = new Findings(100);
  return { ...(await repairInto(source, target, { now: NOW, lost, fromValues })), shown: lost.shown };
}

describe.each(damages)('after %s', (_name, damage, _findings, lostKeys) => {
  const left = ALL.filter((key) => !lostKeys.includes(key));

  it('a repair in place leaves a store that agrees with itself, with all items that can be read', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    await damage(directory);
    const report = await repairInPlace(directory, new Findings(100));
    expect(report).toMatchObject({ items: left.length, level_repaired: false });
    expect(await keysIn(directory)).toEqual(left);
    expect((await verify(directory)).findings).toEqual([]);
    // And a server takes it.
    const open = await OpenCache.open(directory);
    for (const key of left) expect(await open.get(key), key).toBeDefined();
    await open.set('large', Buffer.alloc(3000), 60);
    await open.close();
    expect((await verify(directory)).findings).toEqual([]);
  });

  it('a repair into a new directory copies all items that can be read', async () => {
    const directory = tempDirectory();
    const target = join(tempDirectory(), 'new');
    await makeSample(directory);
    await damage(directory);
    expect(await into(directory, target)).toMatchObject({ items: left.length, lost: lostKeys.length });
    expect(await keysIn(target)).toEqual(left);
    expect((await verify(target)).findings).toEqual([]);
  });
});

describe('when LevelDB is damaged itself', () => {
  const level: readonly (readonly [string, (directory: string) => void])[] = [
    ['its list of files is gone', (directory) => rmSync(join(directory, 'CURRENT'))],
    ['its manifest is gone', (directory) => rmSync(join(directory, readdirSync(directory).find((name) => name.startsWith('MANIFEST-'))!))],
    ['its manifest is cut off', (directory) => truncateSync(join(directory, readdirSync(directory).find((name) => name.startsWith('MANIFEST-'))!), 10)],
  ];

  it.each(level)('a repair in place brings items back if %s', async (_name, damage) => {
    const directory = tempDirectory();
    await makeSample(directory);
    damage(directory);
    await expect(verify(directory)).rejects.toThrow(/tugela-ts store repair/);
    expect(await repairInPlace(directory, new Findings(100))).toMatchObject({ items: 8, level_repaired: true });
    expect(await keysIn(directory)).toEqual(ALL);
    expect((await verify(directory)).findings).toEqual([]);
  });

  it.each(level)('a repair into a new directory leaves the old one as it is if %s', async (_name, damage) => {
    const directory = tempDirectory();
    const parent = tempDirectory();
    await makeSample(directory);
    damage(directory);
    const before = readdirSync(directory).filter((name) => !name.startsWith('LO')).toSorted();
    expect(await into(directory, join(parent, 'new'))).toMatchObject({ items: 8, level_repaired: true });
    expect(readdirSync(directory).filter((name) => !name.startsWith('LO')).toSorted()).toEqual(before);
    expect(await keysIn(join(parent, 'new'))).toEqual(ALL);
    expect(readdirSync(parent)).toEqual(['new']);
  });
});

describe('when a table of LevelDB is damaged', () => {
  async function makeDamagedTable(directory: string): Promise<void> {
    await makeStore(
      directory,
      Array.from({ length: 3000 }, (_, i) => newItem(`key ${i}`, `value ${i}`.repeat(8), { cas: i + 1, expiresAt: i % 3 === 0 ? NOW + 100 : 0 })),
    );
    // What was in LevelDB's log is in a table after an open.
    await tamper(directory, () => Promise.resolve());
    const table = readdirSync(directory).find((name) => name.endsWith('.ldb'))!;
    const bytes = readFileSync(join(directory, table));
    bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 5000);
    writeFileSync(join(directory, table), bytes);
  }

  it('a check finds it, and both repairs save what is elsewhere', async () => {
    const directory = tempDirectory();
    const target = join(tempDirectory(), 'new');
    await makeDamagedTable(directory);
    expect((await verify(directory)).findings.length).toBeGreaterThan(0);
    const copied = await into(directory, target);
    expect(copied.items).toBeGreaterThan(2500);
    expect(copied.items).toBeLessThan(3000);
    expect((await verify(target)).findings).toEqual([]);
    const mended = await repairInPlace(directory, new Findings(100));
    expect(mended.items).toBe(copied.items);
    expect((await verify(directory)).findings).toEqual([]);
    expect(await dumpStore(directory)).toEqual(await dumpStore(target));
  });
});

describe('with --from-values', () => {
  it('items without a row come from the segments, past damage', async () => {
    const directory = tempDirectory();
    const target = join(tempDirectory(), 'new');
    await makeStore(directory, [
      newItem('first', Buffer.alloc(400, 1), { cas: 1, flags: 9 }),
      newItem('second', Buffer.alloc(400, 2), { cas: 2 }),
      newItem('third', Buffer.alloc(400, 3), { cas: 3 }),
    ]);
    const path = segmentOf(directory, '\u0001');
    const bytes = readFileSync(path);
    bytes.fill(0xff, bytes.indexOf('second') - 30, bytes.indexOf('second') + 50);
    writeFileSync(path, bytes);
    await tamper(directory, async (db) => await db.clear({ gte: Buffer.from('i'), lt: Buffer.from('j') }));
    expect(await into(directory, target, true)).toMatchObject({ items: 2, from_values: 2 });
    expect(itemsIn(await dumpStore(target))).toMatchObject([
      { key: 'first', flags: 9, value: Buffer.alloc(400, 1) },
      { key: 'third', value: Buffer.alloc(400, 3) },
    ]);
    expect((await verify(target)).findings).toEqual([]);
  });

  it('a row has the last word over older records', async () => {
    const directory = tempDirectory();
    const target = join(tempDirectory(), 'new');
    await makeStore(directory, [newItem('key', Buffer.alloc(400, 1), { cas: 1 }), newItem('other', Buffer.alloc(400, 2), { cas: 2 })]);
    const open = await OpenCache.open(directory);
    await open.set('key', Buffer.from('small'));
    await open.close();
    expect(await into(directory, target, true)).toMatchObject({ items: 2, from_values: 0 });
    expect(itemsIn(await dumpStore(target))[0]).toMatchObject({ key: 'key', value: Buffer.from('small') });
  });
});

describe('a repair into a directory', () => {
  it('says what is lost', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    flipInSegment(directory);
    expect((await into(directory, join(tempDirectory(), 'new'))).shown).toEqual(['item large: its value in segment 1, offset 16, is damaged']);
  });

  it('wants an empty one elsewhere', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    await expect(into(directory, directory)).rejects.toThrow(/lies in the damaged store/);
    await expect(into(directory, join(directory, 'x'))).rejects.toThrow(/lies in the damaged store/);
    const other = tempDirectory();
    writeFileSync(join(other, 'file'), '');
    await expect(into(directory, other)).rejects.toThrow(/is not empty/);
  });
});
