import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeQuota, encodeQuota, quotaKey } from '../../src/store/quota-row.ts';
import { Findings } from '../../src/tools/findings.ts';
import { repairInPlace } from '../../src/tools/repair-in-place.ts';
import { PrefixCount } from '../../src/upkeep/prefix-count.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { damages, makeSample } from './damage.ts';
import { tamper, verify } from './dumps.ts';

describe('a store that was used', () => {
  it('has no findings, and its stale index entries are counted', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory);
    for (let i = 0; i < 300; i++) await open.set(`key ${i}`, Buffer.alloc(i * 3, i), (i % 7) * 1000);
    for (let i = 0; i < 300; i += 4) await open.touch(`key ${i}`, 50_000);
    for (let i = 0; i < 300; i += 5) await open.delete(`key ${i}`);
    await open.close();
    const report = await verify(directory);
    expect(report).toMatchObject({ items: 240, findings: [] });
    expect(report.stale_entries).toBeGreaterThan(0);
    expect(report.index_entries).toBeGreaterThan(report.stale_entries);
  });

  it('may hold segments that a crash left behind', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    writeFileSync(join(directory, 'values', '000099.values'), 'tug');
    expect(await verify(directory)).toMatchObject({ segments: 3, unused_segments: 1, findings: [] });
  });
});

describe('a check of a store finds', () => {
  it.each(damages)('%s', async (_name, damage, expected) => {
    const directory = tempDirectory();
    await makeSample(directory);
    await damage(directory);
    const { findings } = await verify(directory);
    expect(findings).toHaveLength(expected.length);
    expected.forEach((pattern, i) => expect(findings[i]).toMatch(pattern));
  });

  it('a file that is no segment', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    writeFileSync(join(directory, 'values', 'notes.txt'), 'x');
    expect((await verify(directory)).findings).toEqual(['file values/notes.txt is no segment']);
  });

  it('segments that count wrongly', async () => {
    const directory = tempDirectory();
    await makeSample(directory);
    await tamper(directory, async (db) => {
      const key = Buffer.from('s\0\0\0\0', 'latin1');
      const page = Buffer.from((await db.get(key))!);
      page.writeUInt32LE(7, 16);
      // As an older version wrote it.
      page.writeUInt32LE(0, 12);
      await db.put(key, page);
    });
    expect((await verify(directory)).findings).toEqual([expect.stringMatching(/000001.values: 1 items of 7 bytes are counted, 1 of \d+ refer to it$/)]);
  });
});

describe('a check of the counts under prefixes with quotas', () => {
  async function countedStore(): Promise<string> {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory);
    open.countedPrefixes = ['a:', 'a:b', 'c'];
    await open.reopen();
    for (let i = 0; i < 20; i++) await open.set(`a:${i % 2 === 0 ? 'b' : 'c'}${i}`, Buffer.alloc(i * 50, i));
    await new PrefixCount(open.store, async () => undefined).run(new AbortController().signal);
    await open.close();
    return directory;
  }

  it('finds nothing where they are right', async () => {
    expect(await verify(await countedStore())).toMatchObject({ quotas: 3, findings: [] });
  });

  it('finds counts that differ from what is there, and rows that cannot be read', async () => {
    const directory = await countedStore();
    await tamper(directory, async (db) => {
      const key = quotaKey('a:');
      await db.put(key, encodeQuota({ ...decodeQuota((await db.get(key))!)!, items: 7 }));
      await db.put(quotaKey('c'), Buffer.alloc(28, 1));
    });
    expect((await verify(directory)).findings).toEqual([
      'quota row of c: fails its checksum',
      'quota row of a%3A: 7 items of 9590 bytes are counted, found are 20 of 9590',
    ]);
  });

  it('is not made after a repair, since the server counts anew then', async () => {
    const directory = await countedStore();
    await tamper(directory, (db) => db.put(quotaKey('a:'), Buffer.alloc(28, 1)));
    await repairInPlace(directory, new Findings(10));
    expect(await verify(directory)).toMatchObject({ quotas: 0, findings: [] });
    const open = await OpenCache.open(directory);
    expect(open.store.counted).toBeUndefined();
    await open.close();
    expect(await verify(directory)).toMatchObject({ quotas: 0, findings: [] });
  });
});
