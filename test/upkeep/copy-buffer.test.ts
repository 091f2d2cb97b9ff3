import { describe, expect, it } from 'vitest';
import { CopyBuffer } from '../../src/upkeep/copy-buffer.ts';
import { bytesOf } from '../support/build-item.ts';

const MB = 2 ** 20;

describe('CopyBuffer', () => {
  it('has copies of any size, side by side as long as they fit', () => {
    const buffer = new CopyBuffer();
    const originals = [10, 1000, MB - 1010, 1, 3 * MB, 5, 0].map((length, i) => bytesOf(length, i));
    const copies = originals.map((bytes) => buffer.copy(bytes));
    copies.forEach((copy, i) => expect(copy.equals(originals[i]!)).toBe(true));
    expect(copies[1]!.buffer).toBe(copies[0]!.buffer);
    expect(copies[1]!.byteOffset).toBe(copies[0]!.byteOffset + 10);
    expect(copies[2]!.buffer).toBe(copies[0]!.buffer);
    expect(copies[3]!.buffer).not.toBe(copies[0]!.buffer);
    originals[1]!.fill(0);
    expect(copies[1]!.equals(bytesOf(1000, 1))).toBe(true);
  });

  it('uses its memory again, but does not keep what a crowd took', () => {
    const buffer = new CopyBuffer();
    const first = Array.from({ length: 4 }, () => buffer.copy(bytesOf(MB, 1)).buffer);
    buffer.reset();
    const second = Array.from({ length: 4 }, () => buffer.copy(bytesOf(MB, 2)).buffer);
    expect(second.map((memory, i) => memory === first[i])).toEqual([true, true, false, false]);
  });
});
