import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Op } from '../../src/cache/command.ts';
import { nextKeys } from '../../src/protocol/next-keys.ts';
import { peekKeys } from '../../src/protocol/text-parser.ts';

function find(input: Buffer, end = input.length, most = 16): string[] {
  const [starts, ends]: [number[], number[]] = [[], []];
  const count = nextKeys(input, 0, end, most, starts, ends);
  return Array.from({ length: count }, (_, i) => input.toString('latin1', starts[i], ends[i]));
}

describe('nextKeys()', () => {
  it.each([
    ['get a\r\nget bc\r\n', ['a', 'bc']],
    ['get a\nget b\n', ['a', 'b']],
    ['get a\r\nset b 0 0 1\r\nx\r\nget c\r\n', ['a', 'b', 'c']],
    ['set a 0 0 2\r\nx\r\r\nset b 4294967295 -1 0\r\n\r\nget c\r\n', ['a', 'b', 'c']],
    ['set a 0 0 1\nx\r\nget b\n', ['a', 'b']],
    ['set a 0 0 1\r\nx\r', []],
    ['set a 0 0 2000000000\r\nx\r\nget b\r\n', []],
    ['set a 0 0 99999999999\r\nx\r\nget b\r\n', []],
    ['set a 0 0 \r\n', []],
    ['set a 0 -\r\n', []],
    ['set a 0 0 1 noreply\r\nx\r\nget b\r\n', []],
    ['set a 0 -1 -1\r\nx\r\nget b\r\n', []],
    ['set a x 0 1\r\nx\r\nget b\r\n', []],
    ['set a 0\r\nget b\r\n', []],
    ['set  0 0 1\r\nx\r\n', []],
    ['add a 0 0 1\r\nx\r\n', []],
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
    const word = fc.constantFrom('get ', 'get', 'set ', ' ', ' 0', ' 0 0 1', ' -1', ' 2', '\r\n', '\n', '\r', 'a', 'key', 'set k 0 0 1\r\nx\r\n', 'ab\r\n', '\0', 'quit\r\n');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.nat(60), (words, cut) => {
        const input = Buffer.from(words.join(''));
        const end = Math.min(cut, input.length);
        const parsed: string[] = [];
        peekKeys(input, 0, end, 100, (from, to, op) => (op === Op.get || op === Op.set) && parsed.push(input.toString('latin1', from, to)));
        const found = find(input, end);
        expect(parsed.slice(0, found.length)).toEqual(found);
      }),
      { numRuns: 2000 },
    );
  });
});
