import { describe, expect, it } from 'vitest';
import { jsonLine, plainLine } from '../../src/client/item-lines.ts';

const item = { key: Buffer.from('a b'), cas: '1', expiresAt: 0, storedAt: 90, length: 3 };

describe('plainLine()', () => {
  it('tells key, size, seconds to live and age, with tabs between', () => {
    expect(plainLine({ item }, 100)).toBe('a%20b\t3\t-\t10\n');
    expect(plainLine({ item: { ...item, expiresAt: 160 } }, 100)).toBe('a%20b\t3\t60\t10\n');
  });

  it('shows no negative age when the clocks differ', () => {
    expect(plainLine({ item }, 80)).toBe('a%20b\t3\t-\t0\n');
  });

  it.each([
    ['plain', 'text, "quoted"', 'text, "quoted"'],
    ['UTF-8', 'ümläut €', 'ümläut €'],
    ['line ends and tabs', 'a\r\n\tb\\n', String.raw`a\r\n\tb\\n`],
    ['what a terminal would obey', '\u001B[2J\u009B\u202E', String.raw`\x1b[2J\x9b\u{202e}`],
    ['empty', '', ''],
  ])('shows a value in one line: %s', (_what, value, shown) => {
    expect(plainLine({ item, value: Buffer.from(value) }, 100)).toBe(`a%20b\t3\t-\t10\t${shown}\n`);
  });

  it('shows what is not UTF-8 as bytes', () => {
    expect(plainLine({ item, value: Buffer.from([0xff, 0x41, 0x5c, 0x00]) }, 100)).toBe(`a%20b\t3\t-\t10\t${String.raw`\xffA\\\x00`}\n`);
  });
});

describe('jsonLine()', () => {
  it('gives text as it is and other bytes in base64', () => {
    const binary = { ...item, key: Buffer.from([0xff]), expiresAt: 160 };
    expect(JSON.parse(jsonLine({ item, value: Buffer.from('€') }, 100))).toEqual({ key: 'a b', size: 3, expiresAt: null, storedAt: 90, age: 10, value: '€' });
    expect(JSON.parse(jsonLine({ item: binary, value: Buffer.from([0xfe]) }, 100))).toEqual({
      keyBase64: '/w==',
      size: 3,
      expiresAt: 160,
      storedAt: 90,
      age: 10,
      valueBase64: '/g==',
    });
  });
});
