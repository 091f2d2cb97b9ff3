import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DumpReader } from '../../src/tools/dump-reader.ts';
import { anyItems, dumpOf, itemsIn, newItem } from './dumps.ts';

describe('a dump', () => {
  it('gives back every item, in pieces of any size', () => {
    fc.assert(
      fc.property(anyItems, fc.infiniteStream(fc.integer({ min: 1, max: 700 })), (items, sizes) => {
        const dump = dumpOf(items);
        const reader = new DumpReader();
        const found = [];
        for (let at = 0; at < dump.length; ) {
          const size = sizes.next().value!;
          found.push(...reader.push(dump.subarray(at, at + size)).map(({ line: _line, ...item }) => item));
          at += size;
        }
        reader.finish();
        expect(found).toEqual(items);
      }),
      { numRuns: 50 },
    );
  });

  it('is lines that say what each item is, with values as they are', () => {
    const item = newItem('a key', 'text\n', { flags: 7, expiresAt: 1_900_000_000, storedAt: 1_800_000_001, cas: 12, chosenCas: 2n ** 63n, bits: 5 });
    expect(dumpOf([item, newItem('b', '')]).toString()).toMatch(
      /^tugela-ts dump 1\nITEM a%20key 7 1900000000 1800000001 12 9223372036854775808 sb 5 [0-9a-f]{8}\ntext\n\nITEM b 0 0 \d+ 1 - - 0 [0-9a-f]{8}\n\nEND 2 11\n$/,
    );
  });

  it('takes values larger than its buffers', () => {
    const items = [newItem('a', Buffer.alloc(70_000, 1)), newItem('b', Buffer.alloc(1_000_000, 2)), newItem('c', 'x')];
    const found = itemsIn(dumpOf(items));
    expect(found.map(({ value }, i) => value.equals(items[i]!.value))).toEqual([true, true, true]);
  });

  it('is known to be truncated wherever it ends', () => {
    const dump = dumpOf([newItem('a', 'one\ntwo'), newItem('b', 'three')]);
    for (let length = 0; length < dump.length; length++) expect(() => itemsIn(dump.subarray(0, length)), `${length} bytes`).toThrow(/truncated/);
  });

  it('is known to be damaged whichever byte is wrong', () => {
    const dump = dumpOf([newItem('key', 'one\ntwo', { expiresAt: 1_900_000_000, flags: 3 })]);
    for (let at = 0; at < dump.length; at++) {
      const damaged = Buffer.from(dump);
      damaged[at] = damaged[at]! ^ 1;
      expect(() => itemsIn(damaged), `byte ${at}`).toThrow(/^Cannot read dump: line \d/);
    }
  });

  it('is known by the line where it is damaged, as an editor counts lines', () => {
    const dump = dumpOf([newItem('a', 'one\ntwo\n'), newItem('b', 'three')]);
    dump[dump.indexOf('three')] = 0;
    expect(() => itemsIn(dump)).toThrow('Cannot read dump: line 6: the item fails its checksum');
  });

  it.each([
    ['something else', 'hello\n', 'line 1: this is no dump of tugela-ts'],
    ['a later version', 'tugela-ts dump 2\n', 'line 1: the dump is of version 2, known is 1'],
    ['no line end at all', 'x'.repeat(5000), 'line 1: it is longer than a line can be'],
    ['a line of no kind', 'tugela-ts dump 1\nTHING\n', 'line 2: it is none of ITEM, LOST and END'],
    ['a wrong count', 'tugela-ts dump 1\nEND 1 5\n', "line 2: it says 'END 1 5', but 0 items of 0 bytes came before it"],
    ['more after its end', 'tugela-ts dump 1\nEND 0 0\nx', 'line 3: something follows the line END'],
    ['an item of too few words', 'tugela-ts dump 1\nITEM k 1 2 3\n', 'line 2: the item is unreadable'],
  ])('that is %s is refused', (_name, text, problem) => {
    expect(() => itemsIn(Buffer.from(text))).toThrow(`Cannot read dump: ${problem}`);
  });

  it('may name items that were lost', () => {
    const reader = new DumpReader();
    expect(reader.push(Buffer.from('tugela-ts dump 1\nLOST a%20key\nEND 0 0\n'))).toEqual([]);
    reader.finish();
    expect(reader.lost).toBe(1);
  });
});
