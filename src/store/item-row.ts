import { crc32 } from 'node:zlib';
import type { Item } from '../item.ts';

/*
 * The value of an item's row, little endian:
 *
 *     row    := kind(u8) ttlShift(u8) flags(u32) expiresAt(u32) storedAt(u32) cas(u64) crc(u32) rest
 *     rest   := value                                 kind 0: the value lies in the row
 *             | segment(u32) offset(u32) length(u32)  kind 1: the value lies in the value log
 *
 * crc is the CRC-32 of the row without these four bytes. Do not change: this is on disk.
 */
const INLINE = 0;
const OUT_OF_LINE = 1;
const CRC_AT = 22;
const HEAD_BYTES = 26;
const POINTER_BYTES = 12;

/** Bytes in front of a value in the value log besides the key, see value-record.ts. */
export const RECORD_HEAD_BYTES = 32;

/** Bytes that the row of this item takes. */
export function rowSize(item: Item): number {
  return item.place === undefined ? HEAD_BYTES + item.length : HEAD_BYTES + POINTER_BYTES;
}

/** Writes the row of an item at `at` and returns where it ends. REQUIRES: an inline item has its value. */
export function writeItemRow(row: Buffer, at: number, item: Item): number {
  row[at] = item.place === undefined ? INLINE : OUT_OF_LINE;
  row[at + 1] = item.ttlShift;
  row.writeUInt32LE(item.flags, at + 2);
  row.writeUInt32LE(item.expiresAt, at + 6);
  row.writeUInt32LE(item.storedAt, at + 10);
  writeU53(row, at + 14, item.cas);
  const rest = at + HEAD_BYTES;
  let end: number;
  if (item.place !== undefined) {
    row.writeUInt32LE(item.place.segment, rest);
    row.writeUInt32LE(item.place.offset, rest + 4);
    row.writeUInt32LE(item.length, rest + 8);
    end = rest + POINTER_BYTES;
  } else {
    row.set(item.value!, rest);
    end = rest + item.length;
  }
  row.writeUInt32LE(crc32(row.subarray(rest, end), crc32(row.subarray(at, at + CRC_AT))), at + CRC_AT);
  return end;
}

/** Reads a row; undefined when it is damaged. The value of an inline item is a view of the row. */
export function readItemRow(row: Buffer, keyLength: number): Item | undefined {
  if (row.length < HEAD_BYTES) return undefined;
  const kind = row[0];
  if (row.readUInt32LE(CRC_AT) !== crc32(row.subarray(HEAD_BYTES), crc32(row.subarray(0, CRC_AT)))) return undefined;
  if (kind !== INLINE && (kind !== OUT_OF_LINE || row.length !== HEAD_BYTES + POINTER_BYTES)) return undefined;
  const inline = kind === INLINE;
  const length = inline ? row.length - HEAD_BYTES : row.readUInt32LE(HEAD_BYTES + 8);
  return {
    ttlShift: row[1]!,
    flags: row.readUInt32LE(2),
    expiresAt: row.readUInt32LE(6),
    storedAt: row.readUInt32LE(10),
    cas: readU53(row, 14),
    length,
    value: inline ? row.subarray(HEAD_BYTES) : undefined,
    place: inline
      ? undefined
      : {
          segment: row.readUInt32LE(HEAD_BYTES),
          offset: row.readUInt32LE(HEAD_BYTES + 4),
          size: RECORD_HEAD_BYTES + keyLength + length,
        },
  };
}

/** Writes a whole number below 2^53 as 64 bits, little endian. */
export function writeU53(bytes: Buffer, at: number, n: number): void {
  bytes.writeUInt32LE(n % 0x100000000, at);
  bytes.writeUInt32LE(Math.floor(n / 0x100000000), at + 4);
}

export function readU53(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x100000000;
}
