import type { Item } from '../item.ts';
import { STEP_BYTES } from '../steps.ts';
import { crc32 } from './crc32.ts';
import { crc32InSteps } from './crc32-steps.ts';
import { readU53, RECORD_HEAD_BYTES, writeU53 } from './item-row.ts';

/*
 * A record of the value log, little endian:
 *
 *     record := crc(u32) keyLength(u32) length(u32) flags(u32) expiresAt(u32) storedAt(u32) cas(u64) key value
 *
 * crc is the CRC-32 of all that follows it. flags to cas are as of the time of writing: the item's row
 * has the last word; they are here so that items can be salvaged from the value log alone.
 * Do not change: this is on disk.
 */

/** Writes a record, or its head and key alone when its value follows elsewhere. REQUIRES: the item has its value. */
export function writeRecord(record: Buffer, key: string, item: Item): void {
  const at = RECORD_HEAD_BYTES + key.length;
  const value = item.value!;
  writeUnsummed(record, key, item);
  let crc: number;
  if (record.length > at) {
    value.copy(record, at);
    crc = crc32(record, 4, record.length);
  } else {
    crc = crc32(value, 0, value.length, crc32(record, 4, at));
  }
  record.writeUInt32LE(crc, 0);
}

/** Writes head and key of a record whose crc is to be set by `sumInSteps`. */
export function writeUnsummed(head: Buffer, key: string, item: Item): void {
  head.writeUInt32LE(key.length, 4);
  head.writeUInt32LE(item.length, 8);
  head.writeUInt32LE(item.flags, 12);
  head.writeUInt32LE(item.expiresAt, 16);
  head.writeUInt32LE(item.storedAt, 20);
  writeU53(head, 24, item.cas);
  head.write(key, RECORD_HEAD_BYTES, 'latin1');
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
    record.readUInt32LE(4) === key.length &&
    record.length === at + record.readUInt32LE(8) &&
    record.toString('latin1', RECORD_HEAD_BYTES, at) === key
  );
}

/** Bytes of the record that begins at `at`, as its head says; 0 where no record can be. */
export function recordSizeAt(bytes: Buffer, at: number): number {
  if (at + RECORD_HEAD_BYTES > bytes.length) return 0;
  const keyLength = bytes.readUInt32LE(at + 4);
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
  return bytes.toString('latin1', from, from + bytes.readUInt32LE(at + 4));
}
