import * as fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { decodeBase64Key, encodeBase64Key } from '../../src/protocol/base64-key.ts';
import { bytes } from './parsed.ts';

function decode(text: string): string | undefined {
  const buffer = bytes(`+${text}+`);
  return decodeBase64Key(buffer, 1, buffer.length - 1)?.toString('latin1');
}

it('decodes what was encoded, for any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 187 }), (key) => {
    const source = Buffer.from(key);
    const text = encodeBase64Key(source, 0, source.length);
    expect(decode(text)).toBe(source.toString('latin1'));
  }));
});

test.each([
  ['YQ==', 'a'], ['YWI=', 'ab'], ['YWJj', 'abc'], ['YWJjZA==', 'abcd'], ['++//', '\xfb\xef\xff'],
  // Bytes of other alphabets are overlooked, and what follows padding.
  ['Y-W_J!j', 'abc'], ['YQ==YWJj', 'a'], ['YR==', 'a'],
])('%s is %j', (text, key) => {
  expect(decode(text)).toBe(key);
});

test.each(['', 'Y', 'YW', 'YWJ', 'YWJjZ', '!!!!', '====', 'Y===', 'YQ'])('%j is no key', (text) => {
  expect(decode(text)).toBeUndefined();
});
