import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Place } from '../../src/item.ts';
import { PlaceTable } from '../../src/ram/place-table.ts';

/** One bucket of eight entries. */
const BUCKET_BYTES = 64;

/** A table in so many parts, in which there was something before. */
function tableOf(bytes: number, parts = 1): PlaceTable {
  const table = new PlaceTable();
  table.use(Array.from({ length: parts }, () => new Uint32Array(bytes / parts / 4).fill(0xffffffff)));
  return table;
}

const place = (segment: number, offset: number, size = 1000): Place => ({ segment, offset, size });

describe('a table of places', () => {
  it('finds the last place that was noted, until it is forgotten', () => {
    const table = tableOf(4096);
    table.note(0xfedcba98, place(3, 16));
    table.note(1, place(4, 16));
    table.note(0xfedcba98, place(5, 2 ** 26 - 1, 2 ** 14 - 1));
    expect(table.find(0xfedcba98)).toEqual(place(5, 2 ** 26 - 1, 2 ** 14 - 1));
    table.forget(0xfedcba98);
    expect(table.find(0xfedcba98)).toBeUndefined();
    expect(table.find(1)).toEqual(place(4, 16));
    table.clear();
    expect(table.find(1)).toBeUndefined();
    table.note(2, place(6, 16));
    expect(table.find(1)).toBeUndefined();
    expect(table.find(2)).toEqual(place(6, 16));
  });

  it('keeps nothing in no memory', () => {
    const table = new PlaceTable();
    expect(table.capacity).toBe(0);
    table.note(1, place(1, 16));
    table.forget(1);
    expect(table.find(1)).toBeUndefined();
  });

  it('spreads keys over all parts of its memory, and forgets them when it gets another', () => {
    const table = tableOf(4 * 4096, 4);
    expect(table.capacity).toBe(2048);
    const hashes = Array.from({ length: 512 }, (_, i) => i * 2 ** 23 + (i % 256));
    const known = (): number => hashes.filter((hash) => table.find(hash) !== undefined).length;
    for (const [i, hash] of hashes.entries()) table.note(hash, place(i, 16));
    expect(known()).toBe(512);
    table.use([new Uint32Array(1024), new Uint32Array(1024)]);
    expect(table.capacity).toBe(1024);
    expect(known()).toBe(0);
    for (const [i, hash] of hashes.entries()) table.note(hash, place(i, 16));
    expect(known()).toBe(512);
    table.use([]);
    expect(known()).toBe(0);
  });

  it.each([
    ['too large', place(1, 16, 2 ** 14)],
    ['too far in its segment', place(1, 2 ** 26)],
  ])('forgets a key whose record is %s', (_why, far) => {
    const table = tableOf(4096);
    table.note(7, place(1, 16));
    table.note(7, far);
    expect(table.find(7)).toBeUndefined();
  });

  it('keeps eight keys in a bucket, and gives up one of them for the next', () => {
    const table = tableOf(BUCKET_BYTES);
    for (let hash = 0; hash < 8; hash++) table.note(hash, place(hash, 16));
    for (let hash = 0; hash < 8; hash++) expect(table.find(hash)).toEqual(place(hash, 16));
    table.note(8, place(8, 16));
    expect(table.find(8)).toEqual(place(8, 16));
    expect(Array.from({ length: 8 }, (_, hash) => table.find(hash)).filter((found) => found === undefined)).toHaveLength(1);
  });

  it('has room for nearly all keys until nearly all of it is taken', () => {
    const table = tableOf(2 ** 20, 16);
    const keys = Math.floor(table.capacity / 1.2);
    // As good hashes are.
    const hash = (i: number): number => crc32(Buffer.from(`key ${i}`));
    for (let i = 0; i < keys; i++) table.note(hash(i), place(1, 16 + i));
    let known = 0;
    for (let i = 0; i < keys; i++) if (table.find(hash(i))?.offset === 16 + i) known++;
    expect(known).toBeGreaterThan(0.99 * keys);
    // One of those that are there makes room for each one more.
    for (let i = keys; i < 3 * keys; i++) {
      table.note(hash(i), place(1, 16 + i));
      expect(table.find(hash(i))?.offset).toBe(16 + i);
    }
    known = 0;
    for (let i = 0; i < 3 * keys; i++) if (table.find(hash(i))?.offset === 16 + i) known++;
    expect(known).toBeGreaterThan(0.95 * table.capacity);
  });

  it('follows the segments, and forgets those that are far behind', () => {
    const table = tableOf(4096);
    for (const segment of [0, 16_383, 16_384, 200_000, 2 ** 31]) {
      table.note(1, place(segment, 16));
      expect(table.find(1)).toEqual(place(segment, 16));
    }
    table.note(2, place(2 ** 31 - 10_000, 16));
    expect(table.find(2)).toBeUndefined();
    expect(table.find(1)).toEqual(place(2 ** 31, 16));
  });

  it('never tells a place that a key had before', () => {
    // Keys that look the same, in one bucket or in others.
    const hash = fc.constantFrom(0, 0x100, 0x10000, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x80000001, 0xffffffff, 0xffff00ff);
    const step = fc.record({ hash, note: fc.option(fc.record({ segment: fc.nat(100_000), size: fc.constantFrom(40, 5000, 20_000) }), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.constantFrom(BUCKET_BYTES, 1024, 4096), fc.constantFrom(1, 4), (steps, bytes, parts) => {
        const table = tableOf(Math.max(bytes, parts * BUCKET_BYTES), parts);
        const now = new Map<number, Place | undefined>();
        for (const [i, { hash: key, note }] of steps.entries()) {
          // No two have the same place.
          const next = note === undefined ? undefined : { segment: note.segment, offset: 16 + i, size: note.size };
          if (next === undefined) table.forget(key);
          else table.note(key, next);
          now.set(key, next);
          const known = [...now.values()];
          for (const each of now.keys()) {
            const found = table.find(each);
            // Its own, or that of another that looks the same.
            if (found !== undefined) expect(known).toContainEqual(found);
          }
          if (next !== undefined && next.size < 2 ** 14) expect([next, undefined]).toContainEqual(table.find(key));
        }
      }),
    );
  });
});
