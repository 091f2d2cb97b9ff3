import { describe, expect, it } from 'vitest';
import { BASE64_KEY, type Item } from '../../src/item.ts';
import { cachedumpLine, metadumpLine, mgdumpLine } from '../../src/protocol/dump-lines.ts';
import { buildItem } from '../support/build-item.ts';

const use = { lastAccess: 1_700_000_007, isFetched: false, size: 77, cas: 12 };
const binary = item({ bits: BASE64_KEY });

function item(change: Partial<Omit<Item, 'value'>> = {}): Item {
  return buildItem({ value: Buffer.from('value'), cas: 12, flags: 3, ...change });
}

describe('metadumpLine()', () => {
  it('ends in a blank and LF, without CR', () => {
    expect(metadumpLine('key', item(), use)).toBe('key=key exp=-1 la=1700000007 cas=12 fetch=no cls=1 size=77 flags=3 \n');
  });

  it('gives the Unix time at which the item expires', () => {
    expect(metadumpLine('key', item({ expiresAt: 1_800_000_000 }), use)).toContain(' exp=1800000000 la=');
  });

  it('says whether the item was fetched', () => {
    expect(metadumpLine('key', item(), { ...use, isFetched: true })).toContain(' fetch=yes cls=');
  });

  it('gives the cas unique that a client chose, all 64 bits of it', () => {
    expect(metadumpLine('key', item(), { ...use, cas: 2n ** 64n - 1n })).toContain(' cas=18446744073709551615 ');
  });

  it('writes all flags unsigned', () => {
    expect(metadumpLine('key', item({ flags: 0xffffffff }), use)).toContain(' flags=4294967295 \n');
  });

  it('encodes every byte of the key but letters, digits and -._~', () => {
    expect(metadumpLine('a:b-._~ %\n\0\xff', binary, use)).toMatch(/^key=a%3Ab-\._~%20%25%0A%00%FF exp=/);
  });
});

describe('mgdumpLine()', () => {
  it('is the mg that finds the item', () => {
    expect(mgdumpLine('a:b\xff', item())).toBe('mg a:b\xff\r\n');
  });

  it('has a key in base64 if it came so', () => {
    expect(mgdumpLine('key\xff', binary)).toBe('mg a2V5/w== b\r\n');
  });

  it.each(['a b', 'a\nb', 'a\rb', 'a\0b'])('has a key in base64 that cannot stand in a line: %j', (key) => {
    expect(mgdumpLine(key, item())).toBe(`mg ${Buffer.from(key).toString('base64')} b\r\n`);
  });
});

describe('cachedumpLine()', () => {
  it('tells the length of the value and when it expires, 0 for never', () => {
    expect(cachedumpLine('a:b', item())).toBe('ITEM a:b [5 b; 0 s]\r\n');
    expect(cachedumpLine('a:b', item({ expiresAt: 1_800_000_000 }))).toBe('ITEM a:b [5 b; 1800000000 s]\r\n');
  });

  it('leaves out keys in base64 and keys that cannot stand in a line', () => {
    expect(cachedumpLine('key', binary)).toBeUndefined();
    expect(cachedumpLine('a\nb', item())).toBeUndefined();
  });
});
