import { describe, expect, it } from 'vitest';
import { PREFETCH_KEYS } from '../../src/cache/prefetch.ts';
import { bytesOf } from '../support/build-item.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

describe('Prefetch', () => {
  it('tells the hashes of the keys it looked at, and changes nothing', async () => {
    const open = await OpenCache.open(tempDirectory());
    const { cache, residency } = open;
    const keys = Array.from({ length: PREFETCH_KEYS + 4 }, (_, i) => `key${i}`);
    for (const key of keys.filter((_, i) => i % 3 > 0)) await open.set(key, bytesOf(100, 1));
    const line = Buffer.from(keys.join(' '));
    const starts = keys.map((key) => line.indexOf(`${key} `)).map((at, i) => (at < 0 ? line.length - keys[i]!.length : at));
    const ends = starts.map((start, i) => start + keys[i]!.length);
    const before = residency.ram.stats();
    cache.prefetch.keys(line, starts, ends, 2, keys.length);
    for (let i = 0; i < PREFETCH_KEYS; i++) expect(cache.prefetch.hash(i)).toBe(residency.hashOf(keys[2 + i]!));
    expect(residency.ram.stats()).toEqual(before);
    for (const key of keys) expect(cache.lastAccess(residency.hashOf(key), keyRange(key))).toBe(0);
    await open.close();
  });
});
