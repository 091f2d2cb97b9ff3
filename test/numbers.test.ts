import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  parseI32, parseLooseExptime, parseLooseFlags, parseStoredNumber, parseU32, parseU64,
} from '../src/numbers.ts';
import type { U64 } from '../src/item.ts';
import { bytes } from './protocol/parsed.ts';

type Parse = (buffer: Buffer, start: number, end: number) => U64 | undefined;

/** Parses a text that has digits on both sides, which must not matter. */
function parse(parser: Parse, text: string): U64 | undefined {
  return parser(bytes(`1${text}1`), 1, 1 + bytes(text).length);
}

function canonical(value: bigint): U64 {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

const decimal = fc.oneof(
  fc.bigInt({ min: -(1n << 66n), max: 1n << 66n }),
  fc.bigInt({ min: -(1n << 33n), max: 1n << 33n }),
  fc.tuple(fc.constantFrom(31n, 32n, 53n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }), fc.constantFrom(1n, -1n))
    .map(([bits, off, sign]) => sign * ((1n << bits) + off)),
);

describe('strict numbers', () => {
  const ranges: [string, Parse, bigint, bigint, number][] = [
    ['parseU32', parseU32, 0n, (1n << 32n) - 1n, 11],
    ['parseI32', parseI32, -(1n << 31n), (1n << 31n) - 1n, 11],
    ['parseU64', parseU64, 0n, (1n << 64n) - 1n, 22],
  ];
  test.each(ranges)('%s() takes exactly its range', (_, parser, min, max) => {
    fc.assert(fc.property(decimal, (value) => {
      expect(parse(parser, String(value))).toBe(value >= min && value <= max ? canonical(value) : undefined);
    }));
  });
  test.each(ranges)('%s() refuses everything but digits', (_, parser) => {
    for (const text of ['', ' ', '+1', ' 1', '1 ', '1x', 'x', '0x10', '1.5', '1-', '--1', '\xb2', '1\0']) {
      expect(parse(parser, text), JSON.stringify(text)).toBeUndefined();
    }
  });
  test.each(ranges)('%s() takes leading zeros up to its longest word', (_, parser, _min, _max, longest) => {
    expect(parse(parser, '7'.padStart(longest, '0'))).toBe(7);
    expect(parse(parser, '7'.padStart(longest + 1, '0'))).toBeUndefined();
  });
  it('parseI32() takes a lone minus sign and -0 for 0', () => {
    expect(parse(parseI32, '-')).toBe(0);
    expect(parse(parseI32, '-0')).toBe(0);
  });
});

describe('loose numbers', () => {
  /** strtoull and memcached's check for signs, on a number without blanks. */
  function strtoull(value: bigint): bigint | undefined {
    if (value >= 1n << 64n || value <= -(1n << 64n)) {
      return undefined;
    }
    const wrapped = BigInt.asUintN(64, value);
    return value < 0n && wrapped >= 1n << 63n ? undefined : wrapped;
  }
  const blanks = fc.stringMatching(/^[ \t\n\v\f\r]{0,3}$/);
  const rest = fc.constantFrom('', ' ', '\r', '\t5', ' x', '\0x');

  it('parseLooseFlags() is strtoull cut to 32 bits', () => {
    fc.assert(fc.property(blanks, decimal, rest, (before, value, after) => {
      const model = strtoull(value);
      expect(parse(parseLooseFlags, before + value + after))
        .toBe(model === undefined ? undefined : Number(BigInt.asUintN(32, model)));
    }));
  });
  it('parseLooseExptime() is strtol cut to 32 bits', () => {
    fc.assert(fc.property(blanks, decimal, rest, (before, value, after) => {
      const fits = value === BigInt.asIntN(64, value);
      expect(parse(parseLooseExptime, before + value + after))
        .toBe(fits ? Number(BigInt.asIntN(32, value)) : undefined);
    }));
  });
  it('parseStoredNumber() is strtoull', () => {
    fc.assert(fc.property(blanks, decimal, rest, (before, value, after) => {
      const model = strtoull(value);
      expect(parse(parseStoredNumber, before + value + after)).toBe(model === undefined ? undefined : canonical(model));
    }));
  });
  test.each(['', ' ', '+', '-', 'x', '12ab', '+-5', '- 5', '+ 5', '0x10', '1.5', '\0'])('%j is none', (text) => {
    expect(parse(parseLooseFlags, text)).toBeUndefined();
    expect(parse(parseLooseExptime, text)).toBeUndefined();
    expect(parse(parseStoredNumber, text)).toBeUndefined();
  });
  test.each([['12', 12], [' 12', 12], ['+12', 12], ['12 ', 12], ['12 5', 12], ['0012', 12], ['-0', 0]])(
    '%j is stored as %d', (text, value) => {
      expect(parse(parseStoredNumber, text)).toBe(value);
    });
  test.each(['-12', '18446744073709551616'])('%s is stored as text', (text) => {
    expect(parse(parseStoredNumber, text)).toBeUndefined();
  });
  it('a value over 512 KiB is text', () => {
    const value = bytes('1'.padEnd(512 * 1024 + 1, ' '));
    expect(parseStoredNumber(value, 0, value.length - 1)).toBe(1);
    expect(parseStoredNumber(value, 0, value.length)).toBeUndefined();
  });
});
