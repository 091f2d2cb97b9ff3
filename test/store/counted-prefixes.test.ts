import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountedPrefixes } from '../../src/store/counted-prefixes.ts';
import { JOBS_TO } from '../../src/store/job-row.ts';
import { STATE_KEY } from '../../src/store/keys.ts';
import { decodeQuota, encodeQuota, prefixOfQuota, quotaKey, QUOTAS_FROM, QUOTAS_TO } from '../../src/store/quota-row.ts';

const bytes = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most }).map((array) => Buffer.from(array).toString('latin1'));
/** Short ones of few bytes, the first and the last among them, so that many begin alike. */
const word = fc.array(fc.constantFrom('\0', 'a', 'b', ':', 'ÿ'), { minLength: 1, maxLength: 5 }).map((characters) => characters.join(''));

describe('CountedPrefixes', () => {
  it('finds all prefixes that a key begins with, the longest first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(word, { maxLength: 40 }), fc.array(word, { maxLength: 40 }), (prefixes, keys) => {
        const counted = new CountedPrefixes(prefixes);
        for (const key of keys) {
          const found: string[] = [];
          for (let at = counted.find(key); at !== undefined; at = at.parent) found.push(at.prefix);
          const expected = prefixes.filter((prefix) => key.startsWith(prefix)).toSorted((a, b) => b.length - a.length);
          expect(found).toEqual(expected);
          const buffer = Buffer.from(`x${key}y`, 'latin1');
          expect(counted.findIn(buffer, 1, buffer.length - 1)).toBe(counted.find(key));
        }
      }),
    );
  });

  it('counts an item under each of them', () => {
    const counted = new CountedPrefixes(['wiki:', 'wiki:en:', 'x']);
    counted.load(new Map());
    counted.change('wiki:en:1', 1, 100);
    counted.change('wiki:de:1', 1, 10);
    counted.change('wiki', 1, 1);
    counted.change('wiki:en:1', 0, -40);
    expect(counted.all.map(({ prefix, items, bytes }) => [prefix, items, bytes])).toEqual([
      ['wiki:', 2, 70],
      ['wiki:en:', 1, 60],
      ['x', 0, 0],
    ]);
  });

  it('writes rows of what changed, once, and only where all is counted', () => {
    const counted = new CountedPrefixes(['a', 'b', 'c']);
    counted.load(new Map([['a', { items: 1, bytes: 5, handCas: 0, hand: undefined }], ['b', { items: 0, bytes: 0, handCas: 0, hand: undefined }]]));
    counted.change('a1', 1, 7);
    counted.change('c1', 1, 7);
    const rows = counted.takeDirtyRows();
    expect(rows.map(({ key, value }) => [prefixOfQuota(key), decodeQuota(value)])).toEqual([['a', { items: 2, bytes: 12, handCas: 0, hand: undefined }]]);
    expect(counted.takeDirtyRows()).toEqual([]);
    counted.finish(counted.all[2]!);
    expect(counted.takeDirtyRows().map(({ key }) => prefixOfQuota(key))).toEqual(['c']);
  });
});

describe('quota rows', () => {
  const counter = fc.maxSafeNat();
  const row = fc.record({ items: counter, bytes: counter, handCas: counter, hand: fc.option(bytes(250), { nil: undefined }) });

  it('read as they were written', () => {
    fc.assert(
      fc.property(row, (quota) => {
        expect(decodeQuota(encodeQuota(quota))).toEqual(quota);
      }),
    );
  });

  it('are damaged when any byte differs, or is missing', () => {
    fc.assert(
      fc.property(row, fc.nat(), fc.integer({ min: 1, max: 255 }), (quota, at, change) => {
        const encoded = encodeQuota(quota);
        expect(decodeQuota(encoded.subarray(0, at % encoded.length))).toBeUndefined();
        encoded[at % encoded.length]! ^= change;
        expect(decodeQuota(encoded)).toBeUndefined();
      }),
    );
  });

  it('lie together, apart from the other rows', () => {
    fc.assert(
      fc.property(bytes(250), (prefix) => {
        const key = quotaKey(prefix);
        expect(prefixOfQuota(key)).toBe(prefix);
        expect([Buffer.compare(key, QUOTAS_FROM), Buffer.compare(key, QUOTAS_TO)]).toEqual([1, -1]);
      }),
    );
    expect(Buffer.compare(QUOTAS_FROM, JOBS_TO)).toBe(1);
    expect(Buffer.compare(STATE_KEY, QUOTAS_TO)).toBe(1);
  });
});
