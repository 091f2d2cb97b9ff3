import { crc32 as zlibCrc32 } from 'node:zlib';
import { crcTable } from './crc-table.ts';

/** Up to so many bytes a loop is quicker than the call into zlib (34 bytes: a half of the time). */
const LOOP_BYTES = 64;

const TABLE = crcTable(0xedb88320);

/** The CRC-32 (as zlib's) of some of the bytes, going on from the one of what is in front of them. */
export function crc32(bytes: Buffer, start: number, end: number, before: number = 0): number {
  if (end - start > LOOP_BYTES) return zlibCrc32(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), before);
  let crc = ~before;
  for (let i = start; i < end; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
