import { asSmall, BuiltItem, type Item, type Place, type U64 } from '../item.ts';
import { crc32 } from './crc32.ts';
import { writeU32 } from './u32.ts';

/*
 * The value of an item's row, little endian:
 *
 *     row    := kind(u8) ttlShift(u8) flags(u32) expiresAt(u32) storedAt(u32) cas(u64) crc(u32) [chosen(u64)] rest
 *     rest   := value                                 the value lies in the row
 *             | segment(u32) offset(u32) length(u32)  the value lies in the value log
 *     kind   := bit 0: in the value log; bit 1: there is a chosen cas unique; bits 4 to 6: the item's bits
 *
 * crc is the CRC-32 of the row without these four bytes. Do not change: this is on disk.
 */
const OUT_OF_LINE = 1;
const CHOSEN_CAS = 2;
const BITS_AT = 4;
const KNOWN_KIND = OUT_OF_LINE | CHOSEN_CAS | (7 << BITS_AT);
const CRC_AT = 22;
const HEAD_BYTES = 26;
const CHOSEN_BYTES = 8;
const POINTER_BYTES = 12;

/** Bytes in front of a value in the value log besides the key, see value-record.ts. */
export const RECORD_HEAD_BYTES = 32;

/** Bytes that the row of this item takes. */
export function rowSize(item: Item): number {
  const head = item.chosenCas === undefined ? HEAD_BYTES : HEAD_BYTES + CHOSEN_BYTES;
  return item.place === undefined ? head + item.length : head + POINTER_BYTES;
}

/** Bytes of key and value of this item's row. */
export function itemRowBytes(key: string, item: Item): number {
  return 1 + key.length + rowSize(item);
}

/** Writes the row of an item at `at` and returns where it ends. REQUIRES: an inline item has its value. */
export function writeItemRow(row: Buffer, at: number, item: Item): number {
  row[at] = (item.place === undefined ? 0 : OUT_OF_LINE) | (item.chosenCas === undefined ? 0 : CHOSEN_CAS) | (item.bits << BITS_AT);
  row[at + 1] = item.ttlShift;
  writeU32(row, at + 2, item.flags);
  writeU32(row, at + 6, item.expiresAt);
  writeU32(row, at + 10, item.storedAt);
  writeU53(row, at + 14, item.cas);
  let rest = at + HEAD_BYTES;
  if (item.chosenCas !== undefined) {
    row.writeBigUInt64LE(BigInt(item.chosenCas), rest);
    rest += CHOSEN_BYTES;
  }
  let end: number;
  if (item.place !== undefined) {
    writeU32(row, rest, item.place.segment);
    writeU32(row, rest + 4, item.place.offset);
    writeU32(row, rest + 8, item.length);
    end = rest + POINTER_BYTES;
  } else {
    item.value!.copy(row, rest);
    end = rest + item.length;
  }
  writeU32(row, at + CRC_AT, crc32(row, at + HEAD_BYTES, end, crc32(row, at, at + CRC_AT)));
  return end;
}

/** Reads a row; undefined when it is damaged. The value of an inline item is a view of the row. */
export function readItemRow(row: Buffer, keyLength: number): Item | undefined {
  if (row.length < HEAD_BYTES) return undefined;
  const kind = row[0]!;
  if (row.readUInt32LE(CRC_AT) !== crc32(row, HEAD_BYTES, row.length, crc32(row, 0, CRC_AT))) return undefined;
  const inline = (kind & OUT_OF_LINE) === 0;
  const rest = (kind & CHOSEN_CAS) === 0 ? HEAD_BYTES : HEAD_BYTES + CHOSEN_BYTES;
  if ((kind & ~KNOWN_KIND) !== 0 || (inline ? row.length < rest : row.length !== rest + POINTER_BYTES)) return undefined;
  const length = inline ? row.length - rest : row.readUInt32LE(rest + 8);
  const place: Place | undefined = inline ? undefined : { segment: row.readUInt32LE(rest), offset: row.readUInt32LE(rest + 4), size: RECORD_HEAD_BYTES + keyLength + length };
  const chosenCas = rest === HEAD_BYTES ? undefined : canonical(row.readBigUInt64LE(HEAD_BYTES));
  const value = inline ? row.subarray(rest) : undefined;
  return new BuiltItem(row.readUInt32LE(2), row.readUInt32LE(6), row.readUInt32LE(10), readU53(row, 14), row[1]!, kind >> BITS_AT, chosenCas, length, value, place);
}

function canonical(n: bigint): U64 {
  return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n;
}

/** Writes a whole number below 2^53 as 64 bits, little endian. */
export function writeU53(bytes: Buffer, at: number, n: number): void {
  writeU32(bytes, at, n >>> 0);
  writeU32(bytes, at + 4, Math.floor(n / 0x100000000));
}

export function readU53(bytes: Buffer, at: number): number {
  return asSmall(bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x100000000);
}
