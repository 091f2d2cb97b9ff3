import { BuiltItem, type Item, type Place } from '../item.ts';
import { STEP_BYTES } from '../steps.ts';
import { crc32 } from './crc32.ts';
import { crc32InSteps } from './crc32-steps.ts';
import { type Change, changesSize, writeChanges } from './group-changes.ts';
import { readU53, RECORD_HEAD_BYTES, writeU53 } from './item-row.ts';
import { ttlShift } from './ttl-bucket.ts';
import { writeU32 } from './u32.ts';

/*
 * A record of the value log, little endian:
 *
 *     record := crc(u32) keyLength(u16) form(u16) length(u32) flags(u32) expiresAt(u32) storedAt(u32) cas(u64) key value
 *     form   := bits 0 to 2: the item's bits; bit 15: no item, but the end of a group, and for value what group-changes.ts says
 *
 * crc is the CRC-32 of all that follows it. form to cas are as of the time of writing: the item's row
 * has the last word; they are here so that items can be recovered, or salvaged, from the value log alone.
 * Do not change: this is on disk.
 */
const FORM_AT = 6;
const BITS = 7;
/** Set in what `encodeGroupEnd` makes. */
const GROUP_END = 0x8000;
/** Set in a group's number when a batch ends with it. */
const ENDS_BATCH = 0x80000000;
/** Set in a group's number of items when changes follow: versions that do not know these find items missing, and stop there. */
const HAS_CHANGES = 0x80000000;

/** Bytes of the end of a group, without changes. */
export const GROUP_END_BYTES: number = RECORD_HEAD_BYTES + 1;

/** Which group it is: the number of the batch behind which it comes, and the how-manieth it is there, from 1 on. */
export interface GroupNumber {
  readonly batch: number;
  readonly number: number;
}

/** What the last record of a group tells; with the others, all of the group. The batch's number is modulo 2^32. */
export interface GroupEnd extends GroupNumber {
  /** The rows of all groups up to this one go into one batch, with nothing else. */
  readonly endsBatch: boolean;
  /** Items whose records are in the group. */
  readonly items: number;
  /** The highest cas unique that was given out. */
  readonly cas: number;
}

/** True when a record tells all of an item, so that its row can be made from it: no cas unique that a client chose, the usual TTL bucket. */
export function isToldByRecord({ chosenCas, expiresAt, storedAt, ttlShift: shift }: Item): boolean {
  return chosenCas === undefined && shift === shiftOf(expiresAt, storedAt);
}

function shiftOf(expiresAt: number, storedAt: number): number {
  return expiresAt === 0 ? 0 : ttlShift(Math.max(0, expiresAt - storedAt));
}

/** Writes a record at `at`. REQUIRES: the item has its value. */
export function writeRecord(bytes: Buffer, at: number, key: string, item: Item): void {
  writeRecordHead(bytes, at, key, item);
  item.value!.copy(bytes, at + RECORD_HEAD_BYTES + key.length);
}

/** Writes head and key of a record whose value, which the item has, follows elsewhere. */
export function writeRecordHead(bytes: Buffer, at: number, key: string, item: Item): void {
  writeUnsummed(bytes, at, key, item);
  const value = item.value!;
  writeU32(bytes, at, crc32(value, 0, value.length, crc32(bytes, at + 4, at + RECORD_HEAD_BYTES + key.length)));
}

/** Writes head and key of a record whose crc is to be set by `sumInSteps`. */
export function writeUnsummed(bytes: Buffer, at: number, key: string, item: Item): void {
  writeU32(bytes, at + 4, key.length + item.bits * 0x10000);
  writeU32(bytes, at + 8, item.length);
  writeU32(bytes, at + 12, item.flags);
  writeU32(bytes, at + 16, item.expiresAt);
  writeU32(bytes, at + 20, item.storedAt);
  writeU53(bytes, at + 24, item.cas);
  bytes.write(key, at + RECORD_HEAD_BYTES, 'latin1');
}

/** Sets the crc in a head that `writeUnsummed` wrote, over the value's pieces too. For large values. */
export async function sumInSteps(head: Buffer, value: readonly Buffer[]): Promise<void> {
  head.writeUInt32LE(await crc32InSteps(value, crc32(head, 4, head.length)), 0);
}

/**
 * The head of a record whose value is never written, for a place that was given but is not needed: who
 * reads a segment from record to record gets past it. Nothing points to it, and its crc is wrong.
 */
export function unusedHead(size: number): Buffer {
  const head = Buffer.alloc(RECORD_HEAD_BYTES + 1);
  head.writeUInt32LE(1, 4);
  head.writeUInt32LE(size - head.length, 8);
  return head;
}

/** The end of a group: a record without item, with NUL for key, and its changes for value. */
export function encodeGroupEnd({ batch, number, endsBatch, items, cas }: GroupEnd, changes: readonly Change[]): Buffer {
  const length = changesSize(changes);
  const record = Buffer.alloc(GROUP_END_BYTES + length);
  record.writeUInt32LE(1 + GROUP_END * 0x10000, 4);
  record.writeUInt32LE(length, 8);
  record.writeUInt32LE(items + (length > 0 ? HAS_CHANGES : 0), 12);
  record.writeUInt32LE(number + (endsBatch ? ENDS_BATCH : 0), 16);
  record.writeUInt32LE(batch % 0x100000000, 20);
  writeU53(record, 24, cas);
  writeChanges(record, GROUP_END_BYTES, changes);
  record.writeUInt32LE(crc32(record, 4, record.length), 0);
  return record;
}

/** The end of a group in a record; undefined for one with an item. REQUIRES: it is whole */
export function decodeGroupEnd(record: Buffer): GroupEnd | undefined {
  if ((record.readUInt16LE(FORM_AT) & GROUP_END) === 0) return undefined;
  const number = record.readUInt32LE(16);
  return { batch: record.readUInt32LE(20), number: number % ENDS_BATCH, endsBatch: number >= ENDS_BATCH, items: record.readUInt32LE(12) % HAS_CHANGES, cas: readU53(record, 24) };
}

/** The changes in the end of a group, as `readChanges` takes them. REQUIRES: it is one, and whole */
export function changesOfGroupEnd(record: Buffer): Buffer {
  return record.subarray(GROUP_END_BYTES);
}

/** True for the end of a group. REQUIRES: `recordSizeAt` found a record */
export function isGroupEndAt(bytes: Buffer, at: number): boolean {
  return (bytes.readUInt16LE(at + FORM_AT) & GROUP_END) !== 0;
}

/** True for what `unusedHead` made. */
export function isUnusedHead(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32LE(at) === 0 && bytes.readUInt32LE(at + 4) === 1 && bytes[at + RECORD_HEAD_BYTES] === 0;
}

/** True when a record, of the length that its head says, has the checksum that was written. */
export function isAsWritten(record: Buffer): boolean {
  return record.readUInt32LE(0) === crc32(record, 4, record.length);
}

/** The value in a record, as a view; undefined when it is damaged or of another key. */
export function valueOfRecord(record: Buffer, key: string): Buffer | undefined {
  if (!isRecordOf(record, key) || !isAsWritten(record)) return undefined;
  return record.subarray(RECORD_HEAD_BYTES + key.length);
}

/** The same for a value of any length: a large one is checked in steps. */
export async function checkedValueOf(record: Buffer, key: string): Promise<Buffer | undefined> {
  if (record.length <= STEP_BYTES) return valueOfRecord(record, key);
  if (!isRecordOf(record, key) || record.readUInt32LE(0) !== (await crc32InSteps([record.subarray(4)]))) return undefined;
  return record.subarray(RECORD_HEAD_BYTES + key.length);
}

/** True when a record has the length that it says, and a key. */
function isRecordOf(record: Buffer, key: string): boolean {
  const at = RECORD_HEAD_BYTES + key.length;
  return (
    record.length >= at &&
    record.readUInt16LE(4) === key.length &&
    record.length === at + record.readUInt32LE(8) &&
    record.toString('latin1', RECORD_HEAD_BYTES, at) === key
  );
}

/** Bytes of the record that begins at `at`, as its head says; 0 where no record can be. */
export function recordSizeAt(bytes: Buffer, at: number): number {
  if (at + RECORD_HEAD_BYTES > bytes.length) return 0;
  const keyLength = bytes.readUInt16LE(at + 4);
  if (keyLength === 0 || keyLength > 250 || at + RECORD_HEAD_BYTES + keyLength > bytes.length) return 0;
  return RECORD_HEAD_BYTES + keyLength + bytes.readUInt32LE(at + 8);
}

/** What the head of a record says, for scans; undefined where no record can be. */
export function readRecordHead(bytes: Buffer, at: number): { key: string; size: number; cas: number } | undefined {
  const size = recordSizeAt(bytes, at);
  return size === 0 ? undefined : { key: recordKeyAt(bytes, at), size, cas: readU53(bytes, at + 24) };
}

/** The key (latin1) of the record that begins at `at`. REQUIRES: `recordSizeAt` found one. */
export function recordKeyAt(bytes: Buffer, at: number): string {
  const from = at + RECORD_HEAD_BYTES;
  return bytes.toString('latin1', from, from + bytes.readUInt16LE(at + 4));
}

/** The cas unique of the item in a record. */
export function casOfRecord(record: Buffer): number {
  return readU53(record, 24);
}

/** The bits of the item in a record. REQUIRES: as `recordKeyAt` */
export function recordBitsAt(bytes: Buffer, at: number): number {
  return bytes.readUInt16LE(at + FORM_AT) & BITS;
}

/** The item in a record, without its value unless that is given; `place` is the record's. REQUIRES: the record is whole, and has an item of which it tells all */
export function itemOfRecord(record: Buffer, place: Place, value?: Buffer): Item {
  const expiresAt = record.readUInt32LE(16);
  const storedAt = record.readUInt32LE(20);
  const length = record.readUInt32LE(8);
  return new BuiltItem(record.readUInt32LE(12), expiresAt, storedAt, readU53(record, 24), shiftOf(expiresAt, storedAt), recordBitsAt(record, 0), undefined, length, value, place);
}

/** True when the item that points to a record did not change since it was written, so that the record tells all of it. */
export function isAsInRecord(item: Item, record: Buffer): boolean {
  return (
    isToldByRecord(item) &&
    casOfRecord(record) === item.cas &&
    record.readUInt32LE(12) === item.flags &&
    record.readUInt32LE(16) === item.expiresAt &&
    record.readUInt32LE(20) === item.storedAt &&
    recordBitsAt(record, 0) === item.bits
  );
}
