import { isDeepStrictEqual } from 'node:util';
import zlib from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/item.ts';
import { crc32 } from '../../src/store/crc32.ts';
import { countKeys, dueFrom, dueRowKey, packKeys, readDueRowKey, unpackKeys } from '../../src/store/due-row.ts';
import { readChanges } from '../../src/store/group-changes.ts';
import { readItemRow, readU53, RECORD_HEAD_BYTES, rowSize, writeItemRow, writeU53 } from '../../src/store/item-row.ts';
import { itemKey, keyOfItem, prefixEnd } from '../../src/store/keys.ts';
import { decodeTail, encodeTail } from '../../src/store/log-tail.ts';
import { NEVER_EXPIRES, SegmentTable } from '../../src/store/segment-table.ts';
import { decodeState, emptyState, encodeState, type StoreState } from '../../src/store/state-row.ts';
import { bucketDeadline, ttlShift } from '../../src/store/ttl-bucket.ts';
import {
  changesOfGroupEnd,
  decodeGroupEnd,
  encodeGroupEnd,
  GROUP_END_BYTES,
  isAsWritten,
  isGroupEndAt,
  isToldByRecord,
  isUnusedHead,
  itemOfRecord,
  readRecordHead,
  valueOfRecord,
  writeRecord,
  writeRecordHead,
} from '../../src/store/value-record.ts';
import { buildItem } from '../support/build-item.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const key = fc.uint8Array({ minLength: 1, maxLength: 250 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const value = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const metadata = fc.record({ flags: u32, expiresAt: u32, storedAt: u32, cas: u53, ttlShift: fc.integer({ min: 0, max: 31 }), bits: fc.integer({ min: 0, max: 7 }), chosenCas: fc.option(u53, { nil: undefined }) });
const inline = fc.record({ metadata, value }).map(({ metadata, value }) => buildItem({ ...metadata, value }));
const outOfLine = fc
  .record({ metadata, segment: u32, offset: u32, length: fc.nat(2 ** 27) })
  .map(({ metadata, segment, offset, length }): Item => ({ ...metadata, length, value: undefined, place: { segment, offset, size: 0 } }));

function rowOf(item: Item): Buffer {
  const row = Buffer.alloc(rowSize(item));
  expect(writeItemRow(row, 0, item)).toBe(row.length);
  return row;
}

describe('item row', () => {
  it('keeps an item whose value lies in it', () => {
    fc.assert(fc.property(inline, (item) => {
 expect(readItemRow(rowOf(item), 5)).toEqual(item);
 }));
  });

  it('keeps an item whose value lies elsewhere, and knows the size of its record', () => {
    fc.assert(
      fc.property(outOfLine, fc.integer({ min: 1, max: 250 }), (item, keyLength) => {
        const size = RECORD_HEAD_BYTES + keyLength + item.length;
        expect(readItemRow(rowOf(item), keyLength)).toEqual({ ...item, place: { ...item.place, size } });
      }),
    );
  });

  it('is written at any offset of a larger buffer, and nowhere else', () => {
    fc.assert(
      fc.property(inline, fc.nat(50), (item, at) => {
        const buffer = Buffer.alloc(at + rowSize(item) + 10, 0xee);
        const end = writeItemRow(buffer, at, item);
        expect(readItemRow(buffer.subarray(at, end), 5)).toEqual(item);
        expect(buffer.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
        expect(buffer.subarray(end).every((byte) => byte === 0xee)).toBe(true);
      }),
    );
  });

  it('is refused when any byte of it is changed', () => {
    fc.assert(
      fc.property(fc.oneof(inline, outOfLine), fc.integer({ min: 1, max: 255 }), (item, change) => {
        const row = rowOf(item);
        for (let i = 0; i < row.length; i++) {
          row[i] = row[i]! ^ change;
          expect(readItemRow(row, 5)).toBeUndefined();
          row[i] = row[i]! ^ change;
        }
      }),
      { numRuns: 20 },
    );
  });

  it('is refused when it is cut short or goes on', () => {
    fc.assert(
      fc.property(fc.oneof(inline, outOfLine), (item) => {
        const row = rowOf(item);
        for (let length = 0; length < row.length; length++) expect(readItemRow(row.subarray(0, length), 5)).toBeUndefined();
        expect(readItemRow(Buffer.concat([row, Buffer.alloc(1)]), 5)).toBeUndefined();
      }),
      { numRuns: 20 },
    );
  });
});

describe('crc32', () => {
  it('is zlib\'s, for any part of the bytes and in any number of steps', () => {
    const part = fc.uint8Array({ minLength: 1, maxLength: 200 }).chain((bytes) => fc.tuple(fc.constant(Buffer.from(bytes)), fc.nat(bytes.length), fc.nat(bytes.length), fc.nat(0xffffffff)));
    fc.assert(
      fc.property(part, ([bytes, a, b, before]) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        expect(crc32(bytes, start, end, before)).toBe(zlib.crc32(bytes.subarray(start, end), before));
      }),
    );
  });
});

describe('value record', () => {
  const record = (key: string, item: Item): Buffer => {
    const bytes = Buffer.alloc(RECORD_HEAD_BYTES + key.length + item.length);
    writeRecord(bytes, 0, key, item);
    return bytes;
  };

  it('keeps the value', () => {
    fc.assert(fc.property(key, inline, (key, item) => {
 expect(valueOfRecord(record(key, item), key)).toEqual(item.value);
 }));
  });

  it('is the same whether its value is copied behind it or lies elsewhere', () => {
    fc.assert(
      fc.property(key, inline, (key, item) => {
        const head = Buffer.alloc(RECORD_HEAD_BYTES + key.length);
        writeRecordHead(head, 0, key, item);
        expect(Buffer.concat([head, item.value!])).toEqual(record(key, item));
      }),
    );
  });

  it('tells its key, size and cas from its head', () => {
    fc.assert(
      fc.property(key, inline, (key, item) => {
        const bytes = record(key, item);
        expect(readRecordHead(bytes, 0)).toEqual({ key, size: bytes.length, cas: item.cas });
      }),
    );
  });

  it('is refused for another key of the same length', () => {
    const bytes = record('abc', buildItem({ value: Buffer.from('value') }));
    expect(valueOfRecord(bytes, 'abd')).toBeUndefined();
  });

  it('is refused when any byte of it is changed', () => {
    fc.assert(
      fc.property(key, inline, fc.integer({ min: 1, max: 255 }), (key, item, change) => {
        const bytes = record(key, item);
        for (let i = 0; i < bytes.length; i++) {
          bytes[i] = bytes[i]! ^ change;
          expect(valueOfRecord(bytes, key)).toBeUndefined();
          bytes[i] = bytes[i]! ^ change;
        }
      }),
      { numRuns: 10 },
    );
  });

  it('is refused when it is cut short', () => {
    const bytes = record('key', buildItem({ value: Buffer.from('value') }));
    for (let length = 0; length < bytes.length; length++) expect(valueOfRecord(bytes.subarray(0, length), 'key')).toBeUndefined();
  });

  it('has no head where there are only zeros', () => {
    expect(readRecordHead(Buffer.alloc(100), 0)).toBeUndefined();
  });
});

describe('the end of a group', () => {
  const u31 = fc.integer({ min: 1, max: 0x7fffffff });
  const end = fc.record({ batch: u32, number: u31, endsBatch: fc.boolean(), items: u31, cas: u53 });

  it('is a record that keeps what it tells, and is none of an item', () => {
    fc.assert(
      fc.property(end, key, inline, (end, key, item) => {
        const bytes = encodeGroupEnd(end, []);
        expect(bytes).toHaveLength(GROUP_END_BYTES);
        expect(changesOfGroupEnd(bytes)).toHaveLength(0);
        expect(isAsWritten(bytes)).toBe(true);
        expect(isUnusedHead(bytes, 0)).toBe(false);
        expect(readRecordHead(bytes, 0)).toMatchObject({ size: GROUP_END_BYTES, cas: end.cas });
        expect(decodeGroupEnd(bytes)).toEqual(end);
        const record = Buffer.alloc(RECORD_HEAD_BYTES + key.length + item.length);
        writeRecord(record, 0, key, item);
        expect(decodeGroupEnd(record)).toBeUndefined();
        expect([isGroupEndAt(bytes, 0), isGroupEndAt(record, 0)]).toEqual([true, false]);
      }),
    );
  });

  it('keeps what else the group changed: rows of items, and deletes', () => {
    fc.assert(
      fc.property(end, fc.array(fc.tuple(key, fc.option(inline))), (end, changes) => {
        const bytes = encodeGroupEnd(end, changes);
        expect(isAsWritten(bytes)).toBe(true);
        expect(isGroupEndAt(bytes, 0)).toBe(true);
        expect(readRecordHead(bytes, 0)).toMatchObject({ size: bytes.length, cas: end.cas });
        expect(decodeGroupEnd(bytes)).toEqual(end);
        const again = [...readChanges(changesOfGroupEnd(bytes))].map(({ key, row }) => [key, row.length === 0 ? null : { ...readItemRow(row, key.length)! }]);
        expect(again).toEqual(changes.map(([key, item]) => [key, item === null ? null : { ...item }]));
      }),
    );
  });

  // One that does not know of changes would bring back what was deleted.
  it('has more items than there can be for a version that does not know of changes, if it has any', () => {
    const end = { batch: 1, number: 1, endsBatch: false, items: 2, cas: 7 };
    expect(encodeGroupEnd(end, []).readUInt32LE(12)).toBe(2);
    expect(encodeGroupEnd(end, [['key', null]]).readUInt32LE(12)).toBe(2 + 2 ** 31);
  });
});

describe('what a record tells of its item', () => {
  it('is all of it, or it says that it is not', () => {
    fc.assert(
      fc.property(key, inline, (key, item) => {
        const record = Buffer.alloc(RECORD_HEAD_BYTES + key.length + item.length);
        writeRecord(record, 0, key, item);
        const place = { segment: 1, offset: 16, size: record.length };
        const again = itemOfRecord(record, place);
        const isAll = isDeepStrictEqual({ ...again }, { ...item, value: undefined, place });
        expect(isAll).toBe(isToldByRecord(item));
      }),
    );
  });
});

describe('tail row', () => {
  const tail = fc.record({ batch: u53, behind: u53, offsets: fc.dictionary(u32.map(String), u32) }).map(({ batch, behind, offsets }) => ({
    batch,
    behind,
    offsets: new Map(Object.entries(offsets).map(([segment, offset]) => [Number(segment), offset])),
  }));

  it('keeps its numbers, and is refused when any byte of it is changed', () => {
    fc.assert(
      fc.property(tail, fc.nat(), fc.integer({ min: 1, max: 255 }), (tail, at, change) => {
        const row = encodeTail(tail);
        expect(decodeTail(row)).toEqual(tail);
        row[at % row.length] = row[at % row.length]! ^ change;
        expect(decodeTail(row)).toBeUndefined();
      }),
    );
  });
});

describe('index row', () => {
  const row = fc.record({ deadline: u32, shift: fc.integer({ min: 0, max: 31 }), number: u53 });

  it('keeps deadline, shift and number in its key', () => {
    fc.assert(fc.property(row, (row) => {
 expect(readDueRowKey(dueRowKey(row))).toEqual(row);
 }));
  });

  it('sorts by deadline, then shift, then number', () => {
    fc.assert(
      fc.property(row, row, (a, b) => {
        const order = a.deadline - b.deadline || a.shift - b.shift || a.number - b.number;
        expect(Math.sign(Buffer.compare(dueRowKey(a), dueRowKey(b)))).toBe(Math.sign(order));
      }),
    );
  });

  it('lies at or after the first key of its deadline and before that of the next', () => {
    fc.assert(
      fc.property(row, (row) => {
        fc.pre(row.deadline < 0xffffffff);
        expect(Buffer.compare(dueFrom(row.deadline), dueRowKey(row))).toBeLessThanOrEqual(0);
        expect(Buffer.compare(dueRowKey(row), dueFrom(row.deadline + 1))).toBeLessThan(0);
      }),
    );
  });

  it('refuses other keys', () => {
    expect(readDueRowKey(Buffer.from('iabc'))).toBeUndefined();
    expect(readDueRowKey(dueRowKey({ deadline: 1, shift: 1, number: 1 }).subarray(0, 13))).toBeUndefined();
  });

  it('keeps the keys it lists, in order', () => {
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        expect(unpackKeys(packKeys(keys))).toEqual(keys);
        expect(countKeys(packKeys(keys))).toBe(keys.length);
      }),
    );
  });

  it('stops at a key that was cut off', () => {
    expect(unpackKeys(packKeys(['ab', 'cd']).subarray(0, 5))).toEqual(['ab']);
  });
});

describe('state row', () => {
  const state = fc.record(Object.fromEntries(Object.keys(emptyState()).map((name) => [name, u53]))) as unknown as fc.Arbitrary<StoreState>;

  it('keeps all counters', () => {
    fc.assert(fc.property(state, (state) => {
 expect(decodeState(encodeState(state))).toEqual(state);
 }));
  });

  it('gives fields that an older version did not write their first value', () => {
    const row = encodeState({ ...emptyState(), cas: 7, nextSegment: 9 });
    expect(decodeState(row.subarray(0, 16))).toEqual({ ...emptyState(), cas: 7 });
    // Without a check.
    expect(decodeState(row.subarray(0, row.length - 8))).toEqual({ ...emptyState(), cas: 7, nextSegment: 9 });
  });

  it('leaves out what only a newer version knows, whose check covers it all', () => {
    const row = encodeState({ ...emptyState(), cas: 7, keepsQuotas: 1 });
    const newer = Buffer.concat([row.subarray(0, row.length - 8), Buffer.alloc(16)]);
    newer.writeDoubleLE(5, row.length - 8);
    expect(decodeState(newer)).toBeUndefined();
    newer.writeDoubleLE(zlib.crc32(newer.subarray(0, row.length)), row.length);
    expect(decodeState(newer)).toEqual({ ...emptyState(), cas: 7, keepsQuotas: 1 });
  });

  it('is refused when any bit of it is changed, and when it is no row of whole numbers', () => {
    const row = encodeState({ ...emptyState(), cas: 7, nextSegment: 9 });
    for (let bit = 0; bit < row.length * 8; bit++) {
      expect(decodeState(flipped(row, bit))).toBeUndefined();
    }
    for (const wrong of [Buffer.alloc(0), Buffer.alloc(7), row.subarray(1), Buffer.from('garbage.')]) expect(decodeState(wrong)).toBeUndefined();
  });
});

describe('SegmentTable', () => {
  it('refuses a row when any bit of its key or value is changed, and takes one of an older version', () => {
    const table = new SegmentTable();
    table.add(17, 1000, 0);
    const [row] = table.takeDirtyRows();
    const { key } = row!;
    const value = row!.value!;
    for (let bit = 8; bit < key.length * 8; bit++) expect(new SegmentTable().load(flipped(key, bit), value)).toBe(false);
    for (let bit = 0; bit < value.length * 8; bit++) expect(new SegmentTable().load(key, flipped(value, bit))).toBe(false);
    const old = Buffer.from(value);
    old.writeUInt32LE(0, 12);
    const read = new SegmentTable();
    expect(read.load(key, old)).toBe(true);
    expect(read.use(17)).toEqual(table.use(17));
    expect(new SegmentTable().load(key, value.subarray(1))).toBe(false);
  });

  it('reads back what it wrote, whatever was added, dropped and forgotten', () => {
    const step = fc.record({ segment: fc.nat(70), bytes: fc.nat(1e6), expiresAt: u32, isForget: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const table = new SegmentTable();
        const rows = new Map<string, { key: Buffer; value: Buffer }>();
        const write = (): void => {
          for (const { key, value } of table.takeDirtyRows()) {
            if (value === undefined) rows.delete(key.toString('hex'));
            else rows.set(key.toString('hex'), { key, value });
          }
        };
        steps.forEach(({ segment, bytes, expiresAt, isForget }, i) => {
          if (isForget) table.forget(segment);
          else table.add(segment, bytes, expiresAt);
          if (i % 7 === 0) write();
        });
        write();
        const read = new SegmentTable();
        for (const { key, value } of rows.values()) read.load(key, value);
        expect(new Map(read.entries())).toEqual(new Map(table.entries()));
        const live = [...table.entries()].reduce((bytes, [, use]) => bytes + use.liveBytes, 0);
        expect([table.liveBytes, read.liveBytes]).toEqual([live, live]);
      }),
    );
  });

  it('says when the last value of a segment is dropped', () => {
    const table = new SegmentTable();
    table.add(3, 100, 0);
    table.add(3, 50, 0);
    expect(table.drop(3, 100)).toBe(false);
    expect(table.drop(3, 50)).toBe(true);
  });

  it('remembers the latest expiry, and that never is later than any', () => {
    const table = new SegmentTable();
    table.add(1, 1, 500);
    table.add(1, 1, 400);
    expect(table.use(1).latestExpiry).toBe(500);
    table.add(1, 1, 0);
    expect(table.use(1).latestExpiry).toBe(NEVER_EXPIRES);
  });

  it('writes only pages that changed', () => {
    const table = new SegmentTable();
    table.add(1, 1, 0);
    table.add(100, 1, 0);
    expect(table.takeDirtyRows()).toHaveLength(2);
    expect(table.takeDirtyRows()).toHaveLength(0);
    table.drop(1, 1);
    expect(table.takeDirtyRows()).toHaveLength(1);
  });
});

describe('a whole number of 64 bits', () => {
  it('is read as it was written, and by others', () => {
    const bytes = Buffer.alloc(12);
    const number = fc.oneof(u53, fc.constantFrom(0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
    fc.assert(fc.property(number, fc.nat(4), (n, at) => {
      writeU53(bytes, at, n);
      expect(readU53(bytes, at)).toBe(n);
      expect(bytes.readBigUInt64LE(at)).toBe(BigInt(n));
    }));
  });
});

describe('TTL bucket', () => {
  const ttl = fc.integer({ min: 1, max: 2 ** 31 - 1 });

  it('is never over before the item expires', () => {
    fc.assert(
      fc.property(u32, ttl, (now, ttl) => {
        const expiresAt = Math.min(now + ttl, 0xffffffff);
        expect(bucketDeadline(expiresAt, ttlShift(ttl))).toBeGreaterThanOrEqual(expiresAt);
      }),
    );
  });

  it('is over at most 1.6 % of the time to live late, or four seconds', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), ttl, (now, ttl) => {
        const late = bucketDeadline(now + ttl, ttlShift(ttl)) - (now + ttl);
        expect(late).toBeLessThan(Math.max(4, ttl / 62));
      }),
    );
  });

  it('has a shift that is the logarithm of a 128th of the time to live, from 1024 s on', () => {
    const powers = fc.tuple(fc.integer({ min: 10, max: 30 }), fc.integer({ min: 0, max: 1 })).map(([power, less]) => Math.max(1024, 2 ** power - less));
    fc.assert(fc.property(fc.oneof(powers, fc.integer({ min: 1024, max: 2 ** 32 - 1 })), (ttl) => {
      expect(ttlShift(ttl)).toBe(Math.floor(Math.log2(ttl / 128)));
    }));
  });

  it('has a shift that fits five bits', () => {
    fc.assert(fc.property(ttl, (ttl) => {
 expect(ttlShift(ttl)).toBeLessThan(32);
 }));
  });
});

describe('item key', () => {
  it('keeps any bytes', () => {
    fc.assert(fc.property(key, (key) => {
 expect(keyOfItem(itemKey(key))).toBe(key);
 }));
  });

  it('lies below the end of each of its prefixes', () => {
    fc.assert(
      fc.property(key, fc.nat(250), (key, length) => {
        const end = prefixEnd(itemKey(key.slice(0, length)))!;
        expect(Buffer.compare(itemKey(key), end)).toBeLessThan(0);
      }),
    );
  });
});

function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7));
  return changed;
}
