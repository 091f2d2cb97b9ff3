import * as fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { decodeUriKey, encodeUriKey, encodeUriText } from '../../src/protocol/uri-key.ts';
import { bytes } from './parsed.ts';

function encode(text: string): string {
  return encodeUriKey(bytes(text), 0, bytes(text).length);
}

it('encodeUriKey() leaves letters, digits and -._~, and writes the rest in capital hex', () => {
  expect(encode('azAZ09-._~')).toBe('azAZ09-._~');
  expect(encode('a:b/c%\xff\x00+')).toBe('a%3Ab%2Fc%25%FF%00%2B');
  expect(encodeUriKey(bytes('xabx'), 1, 3)).toBe('ab');
});

it('encodeUriKey() and encodeUriText() keep only what each byte alone may be', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const expected = [...all].map((byte) => {
    const character = String.fromCharCode(byte);
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'.includes(character)
      ? character
      : `%${Buffer.of(byte).toString('hex').toUpperCase()}`;
  });
  expect(encodeUriKey(all, 0, 256)).toBe(expected.join(''));
  expect(encodeUriText(all.toString('latin1'))).toBe(expected.join(''));
});

it('decodeUriKey() gives back every key, those with blanks, LF and NUL of the binary protocol too', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 250 }), (raw) => {
    const key = Buffer.from(raw);
    expect(decodeUriKey(encodeUriKey(key, 0, key.length))).toEqual(key);
  }));
  expect(decodeUriKey('a%20b%0A%0D%00')).toEqual(bytes('a b\n\r\0'));
  expect(decodeUriKey('%FF'.repeat(250))).toEqual(Buffer.alloc(250, 0xff));
});

it('decodeUriKey() takes small hex digits and bare bytes', () => {
  expect(decodeUriKey('a%3a:\xff')).toEqual(bytes('a::\xff'));
});

test.each(['', '%', '%4', 'a%4', '%G0', '%0G', '%:0', '%@0', '%-1', '% 1', 'a b', ' ', '\n', '\u0100', '\u{1f600}', 'k'.repeat(251), '%41'.repeat(251)])(
  'decodeUriKey() refuses %j', (text) => {
    expect(decodeUriKey(text)).toBeUndefined();
  });

it('decodeUriKey() never throws, and gives only possible keys', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const key = decodeUriKey(text);
    if (key !== undefined) {
      expect(key.length > 0 && key.length <= 250).toBe(true);
    }
  }));
});
