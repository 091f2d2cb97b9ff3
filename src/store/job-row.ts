import { crc32 } from 'node:zlib';
import { readU53, writeU53 } from './item-row.ts';
import { META } from './keys.ts';

/*
 * A delete of a prefix that is not over yet (docs/storage-format.md), numbers little endian:
 *
 *     key   := "m" "job" number(u64 BE)
 *     value := deleted(u64) bytes(u64) prefixLength(u8) prefix after crc(u32)
 *
 * `number` is also the highest cas unique that an item may have to be deleted. `after` is the key up to which all is
 * done; empty = none. crc is the CRC-32 of what is in front of it. Do not change: this is on disk.
 */
const KEY_HEAD = Buffer.from([META, 0x6a, 0x6f, 0x62]);
const HEAD_BYTES = 17;
const CRC_BYTES = 4;

/** How far a delete of a prefix has come. Keys are latin1 strings. */
export interface JobRow {
  readonly prefix: string;
  /** All keys up to this one are done; undefined = none is. */
  readonly after: string | undefined;
  /** Items deleted, and the bytes of their keys and values. */
  readonly deleted: number;
  readonly bytes: number;
}

/** Job rows lie between these keys, in the order of their numbers. */
export const JOBS_FROM: Buffer = KEY_HEAD;
export const JOBS_TO: Buffer = Buffer.from([META, 0x6a, 0x6f, 0x63]);

export function jobKey(number: number): Buffer {
  const key = Buffer.alloc(KEY_HEAD.length + 8);
  KEY_HEAD.copy(key);
  key.writeBigUInt64BE(BigInt(number), KEY_HEAD.length);
  return key;
}

/** The number in a job row's key. */
export function numberOfJob(key: Buffer): number {
  return Number(key.readBigUInt64BE(KEY_HEAD.length));
}

export function encodeJob({ prefix, after = '', deleted, bytes }: JobRow): Buffer {
  const end = HEAD_BYTES + prefix.length + after.length;
  const row = Buffer.allocUnsafe(end + CRC_BYTES);
  writeU53(row, 0, deleted);
  writeU53(row, 8, bytes);
  row[16] = prefix.length;
  row.write(prefix + after, HEAD_BYTES, 'latin1');
  row.writeUInt32LE(crc32(row.subarray(0, end)), end);
  return row;
}

/** Reads a row; undefined when it is damaged. */
export function decodeJob(row: Buffer): JobRow | undefined {
  const end = row.length - CRC_BYTES;
  if (end < HEAD_BYTES || row.readUInt32LE(end) !== crc32(row.subarray(0, end))) return undefined;
  const prefixEnd = HEAD_BYTES + row[16]!;
  if (prefixEnd === HEAD_BYTES || prefixEnd > end) return undefined;
  return {
    deleted: readU53(row, 0),
    bytes: readU53(row, 8),
    prefix: row.toString('latin1', HEAD_BYTES, prefixEnd),
    after: prefixEnd === end ? undefined : row.toString('latin1', prefixEnd, end),
  };
}
