import { DUE } from './keys.ts';

/*
 * A row of the TTL index:
 *
 *     key   := "t" deadline(u32 BE) shift(u8) number(u64 BE)
 *     value := { keyLength(u8) key }*
 *
 * One row lists what one write batch put into one bucket. Its entries are hints: an item may have been
 * touched, rewritten or deleted since. `number` is the batch's, so no two rows are the same.
 * Do not change: this is on disk.
 */
const ROW_KEY_BYTES = 14;

export interface DueRowKey {
  /** Unix seconds at which the bucket is over. */
  readonly deadline: number;
  readonly shift: number;
  readonly number: number;
}

export function dueRowKey(row: DueRowKey): Buffer {
  const key = Buffer.allocUnsafe(ROW_KEY_BYTES);
  key[0] = DUE;
  key.writeUInt32BE(row.deadline, 1);
  key[5] = row.shift;
  key.writeUInt32BE(Math.floor(row.number / 0x100000000), 6);
  key.writeUInt32BE(row.number % 0x100000000, 10);
  return key;
}

/** First key at or after which all rows of this deadline and later ones lie. */
export function dueFrom(deadline: number): Buffer {
  return dueRowKey({ deadline, shift: 0, number: 0 });
}

/** Reads a row key; undefined when it is none: no batch has a number that is not exact. */
export function readDueRowKey(key: Buffer): DueRowKey | undefined {
  if (key.length !== ROW_KEY_BYTES || key[0] !== DUE) return undefined;
  const number = key.readUInt32BE(6) * 0x100000000 + key.readUInt32BE(10);
  return Number.isSafeInteger(number) ? { deadline: key.readUInt32BE(1), shift: key[5]!, number } : undefined;
}

/** Packs keys (latin1 strings, at most 255 bytes each). */
export function packKeys(keys: readonly string[]): Buffer {
  let size = 0;
  for (const key of keys) size += 1 + key.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const key of keys) {
    bytes[at] = key.length;
    bytes.write(key, at + 1, 'latin1');
    at += 1 + key.length;
  }
  return bytes;
}

/** Unpacks what packKeys made; stops at the first entry that does not fit. */
export function unpackKeys(bytes: Buffer): string[] {
  const keys: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes[at]!;
    if (end > bytes.length) break;
    keys.push(bytes.toString('latin1', at + 1, end));
    at = end;
  }
  return keys;
}

/** How many keys are packed. */
export function countKeys(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]!) count++;
  return count;
}
