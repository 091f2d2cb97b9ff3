import { crc32 as zlibCrc32 } from 'node:zlib';
import type { Item } from '../../../src/item.ts';
import { crc32 } from '../../../src/store/crc32.ts';
import { packKeys, unpackKeys } from '../../../src/store/due-row.ts';
import { readItemRow, RECORD_HEAD_BYTES, rowSize, writeItemRow } from '../../../src/store/item-row.ts';
import { nearKeyOrder } from '../../../src/store/row-order.ts';
import { bucketDeadline, ttlShift } from '../../../src/store/ttl-bucket.ts';
import { valueOfRecord, writeRecord } from '../../../src/store/value-record.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { keyOf } from './requests.ts';

/** Rows, records and lists of one pass. */
const COUNT = 256;
/** Rows in a batch, about as many as are deferred. */
const ROWS_PER_BATCH = 700;
/** Keys in a row of the TTL index. */
const KEYS_PER_ROW = 32;
/** 2^32 over the golden ratio: its multiples lie far apart, in no order that sorting could use. */
const GOLDEN = 2_654_435_769;
const NOW = 1_800_000_000;

/** The formats on disk, written and read in memory. The floor copies bytes that are ready. */
export function storingGroup(): ContestGroup {
  const small = Array.from({ length: COUNT }, (_, i) => itemOf(i, 100, false));
  const large = Array.from({ length: COUNT }, (_, i) => itemOf(i, 1000, true));
  return {
    title: 'Rows and records of the store, ns each',
    contestants: ['tugela', 'floor'],
    references: ['floor'],
    showsExtra: false,
    contests: [
      writing('write a row with 100 B', small.map(rowSize), (target, i) => writeItemRow(target, 0, small[i]!)),
      reading('read a row with 100 B', small.map(rowOf), (row) => readItemRow(row, keyOf(0).length)?.length ?? Number.NaN, 100),
      writing('write a row of a value in the log', large.map(rowSize), (target, i) => writeItemRow(target, 0, large[i]!)),
      reading('read a row of a value in the log', large.map(rowOf), (row) => readItemRow(row, keyOf(0).length)?.length ?? Number.NaN, 1000),
      writing('write a record of 1 KB', large.map(recordSize), (target, i) => {
        const record = target.subarray(0, recordSize(large[i]!, i));
        writeRecord(record, 0, keyOf(i), large[i]!);
        return record.length;
      }),
      reading('read a record of 1 KB', large.map(recordOf), (record, i) => valueOfRecord(record, keyOf(i))?.length ?? Number.NaN, 1000),
      writing('pack 32 keys that are due', small.map(() => packKeys(keysFrom(0)).length), (target, i) => packKeys(keyLists[i]!).copy(target)),
      reading('unpack 32 keys that are due', keyLists.map(packKeys), (row) => unpackKeys(row).length, KEYS_PER_ROW),
    ],
  };
}

/** CRC-32 beside a call of zlib's. */
export function checksumGroup(): ContestGroup {
  return {
    title: 'CRC-32, ns each',
    contestants: ['tugela', 'zlib'],
    references: ['zlib'],
    showsExtra: false,
    contests: [22, 34, 64, 100, 1000, 16_000].map((bytes) => {
      const blocks = Array.from({ length: COUNT }, (_, i) => valueOf(i, bytes));
      const sumOf = (crc: (block: Buffer) => number) => (): number => blocks.reduce((sum, block) => sum + crc(block), 0);
      return agreeing(`${bytes} B`, bytes, COUNT, new Map([['tugela', sumOf((block) => crc32(block, 0, block.length))], ['zlib', sumOf((block) => zlibCrc32(block))]]));
    }),
  };
}

/** In which bucket of the TTL index an item belongs, beside the same with nothing but one division. */
export function bucketGroup(): ContestGroup {
  const spans = Array.from({ length: COUNT }, (_, i) => 1 + i * i * 41);
  const tugela = (): number => spans.reduce((sum, span) => sum + bucketDeadline(NOW + span, ttlShift(span)), 0);
  const floor = (): number => spans.reduce((sum, span) => sum + Math.ceil((NOW + span) / 4) * 4, 0);
  return {
    title: 'TTL bucket, ns each',
    contestants: ['tugela', 'floor'],
    references: ['floor'],
    showsExtra: false,
    contests: [{ name: '1 s to 31 days', count: COUNT, bytes: 8, passes: new Map([['tugela', tugela], ['floor', floor]]) }],
  };
}

/** Keys of a batch in their order, beside the same by comparing strings. */
export function orderGroup(): ContestGroup {
  const keys = Array.from({ length: ROWS_PER_BATCH }, (_, i) => keyOf((Math.imul(i, GOLDEN) >>> 0) % 100_000));
  const indices = keys.map((_, i) => i);
  const sum = (order: ArrayLike<number>): number => order[1]! + order[ROWS_PER_BATCH - 2]!;
  const tugela = (): number => sum(nearKeyOrder(keys));
  const naive = (): number => sum(indices.toSorted((a, b) => (keys[a]! < keys[b]! ? -1 : 1)));
  return {
    title: 'Rows of a batch, put in order, ns each',
    contestants: ['tugela', 'naive'],
    references: ['naive'],
    showsExtra: false,
    contests: [agreeing(`${ROWS_PER_BATCH} keys`, keyOf(0).length, ROWS_PER_BATCH, new Map([['tugela', tugela], ['naive', naive]]))],
  };
}

const keyLists: readonly string[][] = Array.from({ length: COUNT }, (_, i) => keysFrom(i * KEYS_PER_ROW));

function keysFrom(first: number): string[] {
  return Array.from({ length: KEYS_PER_ROW }, (_, i) => keyOf(first + i));
}

function valueOf(index: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${keyOf(index)} `);
}

function itemOf(index: number, length: number, isInLog: boolean): Item {
  return {
    flags: index & 31,
    expiresAt: NOW + index,
    storedAt: NOW,
    cas: 1_000_000 + index,
    ttlShift: 2,
    bits: 0,
    chosenCas: undefined,
    length,
    value: valueOf(index, length),
    place: isInLog ? { segment: 1, offset: index * 2000, size: RECORD_HEAD_BYTES + keyOf(index).length + length } : undefined,
  };
}

function rowOf(item: Item): Buffer {
  const row = Buffer.alloc(rowSize(item));
  writeItemRow(row, 0, item);
  return row;
}

function recordSize(item: Item, index: number): number {
  return RECORD_HEAD_BYTES + keyOf(index).length + item.length;
}

function recordOf(item: Item, index: number): Buffer {
  const record = Buffer.alloc(recordSize(item, index));
  writeRecord(record, 0, keyOf(index), item);
  return record;
}

/** `write` returns how many bytes it wrote. */
function writing(name: string, sizes: readonly number[], write: (target: Buffer, index: number) => number): Contest {
  const target = Buffer.alloc(Math.max(...sizes));
  const ready = sizes.map((size) => Buffer.alloc(size, 1));
  const sumOf = (one: (index: number) => number): Pass => () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) sum += one(i);
    return sum;
  };
  const passes = new Map([['tugela', sumOf((i) => write(target, i))], ['floor', sumOf((i) => ready[i]!.copy(target))]]);
  return agreeing(name, sizes.reduce((sum, size) => sum + size, 0) / COUNT, COUNT, passes);
}

/** `read` returns `found` of each; the floor copies what is read. */
function reading(name: string, rows: readonly Buffer[], read: (row: Buffer, index: number) => number, found: number): Contest {
  const target = Buffer.alloc(Math.max(...rows.map((row) => row.length)));
  const tugela = (): number => {
    let sum = 0;
    for (let i = 0; i < rows.length; i++) sum += read(rows[i]!, i);
    return sum;
  };
  const floor = (): number => {
    let sum = 0;
    for (const row of rows) sum += row.copy(target) > 0 ? found : 0;
    return sum;
  };
  return agreeing(name, rows.reduce((sum, row) => sum + row.length, 0) / rows.length, rows.length, new Map([['tugela', tugela], ['floor', floor]]));
}

function agreeing(name: string, bytes: number, count: number, passes: ReadonlyMap<string, Pass>): Contest {
  mustAgree(name, [...passes.values()].map((pass) => pass()));
  return { name, count, bytes, passes };
}
