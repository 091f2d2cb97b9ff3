import { crc32 } from 'node:zlib';
import { readU53, writeU53 } from './item-row.ts';
import { META } from './keys.ts';

/*
 * What is stored under a prefix that has a quota (docs/storage-format.md), numbers little endian:
 *
 *     key   := "m" "quota" prefix
 *     value := items(u64) bytes(u64) handCas(u64) hand crc(u32)
 *
 * There is a row only where all items under the prefix are counted. crc is the CRC-32 of what is in front of it. Do not
 * change: this is on disk.
 */
const KEY_HEAD = Buffer.from([META, 0x71, 0x75, 0x6f, 0x74, 0x61]);
const HEAD_BYTES = 24;
const CRC_BYTES = 4;

/** What a quota's row holds. Keys are latin1 strings. */
export interface QuotaRow {
  /** Items under the prefix, dead ones included until they are deleted, and bytes of their keys and values. */
  readonly items: number;
  readonly bytes: number;
  /** Items with a higher cas unique were stored after the hand began its lap. */
  readonly handCas: number;
  /** The key that eviction under the prefix has come to; undefined = before the first. */
  readonly hand: string | undefined;
}

/** Quota rows lie between these keys, in the order of their prefixes. */
export const QUOTAS_FROM: Buffer = KEY_HEAD;
export const QUOTAS_TO: Buffer = Buffer.from([META, 0x71, 0x75, 0x6f, 0x74, 0x62]);

export function quotaKey(prefix: string): Buffer {
  return Buffer.concat([KEY_HEAD, Buffer.from(prefix, 'latin1')]);
}

/** The prefix in a quota row's key. */
export function prefixOfQuota(key: Buffer): string {
  return key.toString('latin1', KEY_HEAD.length);
}

export function encodeQuota({ items, bytes, handCas, hand = '' }: QuotaRow): Buffer {
  const end = HEAD_BYTES + hand.length;
  const row = Buffer.allocUnsafe(end + CRC_BYTES);
  writeU53(row, 0, items);
  writeU53(row, 8, bytes);
  writeU53(row, 16, handCas);
  row.write(hand, HEAD_BYTES, 'latin1');
  row.writeUInt32LE(crc32(row.subarray(0, end)), end);
  return row;
}

/** Reads a row; undefined when it is damaged. */
export function decodeQuota(row: Buffer): QuotaRow | undefined {
  const end = row.length - CRC_BYTES;
  if (end < HEAD_BYTES || row.readUInt32LE(end) !== crc32(row.subarray(0, end))) return undefined;
  return {
    items: readU53(row, 0),
    bytes: readU53(row, 8),
    handCas: readU53(row, 16),
    hand: end === HEAD_BYTES ? undefined : row.toString('latin1', HEAD_BYTES, end),
  };
}
