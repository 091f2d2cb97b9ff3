import { crc32 } from 'node:zlib';
import { META } from './keys.ts';

/*
 * Where the value log goes on behind what the rows tell of it (docs/storage-format.md), numbers little endian:
 *
 *     key   := "m" "tail"
 *     value := batch(u64) behind(u64) { segment(u32) offset(u32) }* crc(u32)
 *
 * `batch` is the number of the batch that the row is in, `behind` that of the one whose rows the offsets are as of: an earlier one while
 * rows are made of what comes behind it. Of each segment that is being filled with what is stored: how far its
 * records have rows. crc is the CRC-32 of what is in front of it. Do not change: this is on disk.
 */
export const TAIL_KEY: Buffer = Buffer.from([META, 0x74, 0x61, 0x69, 0x6c]);

const HEAD_BYTES = 16;
const ENTRY_BYTES = 8;
const CRC_BYTES = 4;

/** The end of what rows tell of the value log. */
export interface LogTail {
  /** Number of the batch that it is in. */
  readonly batch: number;
  /** Number of the batch that it is as of. */
  readonly behind: number;
  /** By segment: offset of the first record that may have no row. */
  readonly offsets: ReadonlyMap<number, number>;
}

export function encodeTail({ batch, behind, offsets }: LogTail): Buffer {
  const end = HEAD_BYTES + offsets.size * ENTRY_BYTES;
  const row = Buffer.allocUnsafe(end + CRC_BYTES);
  row.writeBigUInt64LE(BigInt(batch), 0);
  row.writeBigUInt64LE(BigInt(behind), 8);
  let at = HEAD_BYTES;
  for (const [segment, offset] of offsets) {
    row.writeUInt32LE(segment, at);
    row.writeUInt32LE(offset, at + 4);
    at += ENTRY_BYTES;
  }
  row.writeUInt32LE(crc32(row.subarray(0, end)), end);
  return row;
}

/** Reads a row; undefined when it is not there, or damaged. */
export function decodeTail(row: Buffer | undefined): LogTail | undefined {
  if (row === undefined) return undefined;
  const end = row.length - CRC_BYTES;
  if (end < HEAD_BYTES || (end - HEAD_BYTES) % ENTRY_BYTES !== 0 || row.readUInt32LE(end) !== crc32(row.subarray(0, end))) return undefined;
  const offsets = new Map<number, number>();
  for (let at = HEAD_BYTES; at < end; at += ENTRY_BYTES) offsets.set(row.readUInt32LE(at), row.readUInt32LE(at + 4));
  return { batch: Number(row.readBigUInt64LE(0)), behind: Number(row.readBigUInt64LE(8)), offsets };
}
