import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Op } from '../../src/cache/command.ts';
import { nextGets } from '../../src/protocol/next-gets.ts';
import { peekKeys } from '../../src/protocol/text-parser.ts';

function find(input: Buffer, end = input.length, most = 16): string[] {
  const [starts, ends]: [number[], number[]] = [[], []];
  const count = nextGets(input, 0, end, most, starts, ends);
  return Array.from({ length: count }, (_, i) => input.toString('latin1', starts[i], ends[i]));
}

describe('nextGets()', () => {
  it.each([
    ['get a\r\nget bc\r\n', ['a', 'bc']],
    ['get a\nget b\n', ['a', 'b']],
    ['get a\r\nset b 0 0 1\r\nx\r\nget c\r\n', ['a']],
    ['get a\r\nget b c\r\nget d\r\n', ['a']],
    ['get a\r\nget  b\r\n', ['a']],
    ['get a\r\nget b', ['a']],
    ['get a\r\nget b\r', ['a']],
    ['gets a\r\n', []],
    ['get \r\n', []],
    ['', []],
  ])('finds in %j what it can tell from the first bytes', (input, keys) => {
    expect(find(Buffer.from(input))).toEqual(keys);
  });

  it('finds no more than it is asked for', () => {
    expect(find(Buffer.from('get a\r\n'.repeat(20)), undefined, 3)).toEqual(['a', 'a', 'a']);
  });

  it('finds only what the parser would, whatever the bytes, and looks no further than their end', () => {
    const word = fc.constantFrom('get ', 'get', ' ', '\r\n', '\n', '\r', 'a', 'key', 'set k 0 0 1\r\nx\r\n', '\0', 'quit\r\n');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.nat(60), (words, cut) => {
        const input = Buffer.from(words.join(''));
        const end = Math.min(cut, input.length);
        const parsed: string[] = [];
        peekKeys(input, 0, end, 100, (from, to, op) => op === Op.get && parsed.push(input.toString('latin1', from, to)));
        const found = find(input, end);
        expect(parsed.slice(0, found.length)).toEqual(found);
      }),
      { numRuns: 2000 },
    );
  });
});
