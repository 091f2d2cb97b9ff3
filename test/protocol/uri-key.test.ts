import * as fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { decodeUriKey, encodeUriKey } from '../../src/protocol/uri-key.ts';
import { bytes } from './parsed.ts';

function encode(text: string): string {
  return encodeUriKey(bytes(text), 0, bytes(text).length);
}

it('encodeUriKey() leaves letters, digits and -._~, and writes the rest in capital hex', () => {
  expect(encode('azAZ09-._~')).toBe('azAZ09-._~');
  expect(encode('a:b/c%\xff\x00+')).toBe('a%3Ab%2Fc%25%FF%00%2B');
  expect(encodeUriKey(bytes('xabx'), 1, 3)).toBe('ab');
});

it('decodeUriKey() gives back every key', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 250 }).map((raw) => Buffer.from(raw.map((byte) => (byte === 0x20 || byte === 0x0a ? 0x21 : byte))));
  fc.assert(fc.property(key, (key) => {
    expect(decodeUriKey(encodeUriKey(key, 0, key.length))).toEqual(key);
  }));
  expect(decodeUriKey('%FF'.repeat(250))).toEqual(Buffer.alloc(250, 0xff));
});

it('decodeUriKey() takes small hex digits and bare bytes', () => {
  expect(decodeUriKey('a%3a:\xff')).toEqual(bytes('a::\xff'));
});

test.each(['', '%', '%4', 'a%4', '%G0', '%0G', '%:0', '%@0', '%-1', '% 1', 'a b', 'a%20', '\n', '%0A', '\u0100', '\u{1f600}', 'k'.repeat(251), '%41'.repeat(251)])(
  'decodeUriKey() refuses %j', (text) => {
    expect(decodeUriKey(text)).toBeUndefined();
  });

it('decodeUriKey() never throws, and gives only possible keys', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const key = decodeUriKey(text);
    if (key !== undefined) {
      expect(key.length > 0 && key.length <= 250 && !key.includes(0x20) && !key.includes(0x0a)).toBe(true);
    }
  }));
});
