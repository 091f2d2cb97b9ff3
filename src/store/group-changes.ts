import type { Item } from '../item.ts';
import { rowSize, writeItemRow } from './item-row.ts';

/*
 * What a group changes that no record of it tells, behind the head of the record that ends it (value-record.ts), little endian:
 *
 *     changes := change*
 *     change  := keyLength(u8) rowLength(u16) key row    row: the item's (item-row.ts); empty = it was deleted
 *
 * Do not change: this is on disk.
 */
const HEAD_BYTES = 3;

/** A key (latin1), and its item or null for a delete. */
export type Change = readonly [key: string, item: Item | null];

/** Bytes that some changes take. */
export function changesSize(changes: readonly Change[]): number {
  let size = 0;
  for (const [key, item] of changes) size += HEAD_BYTES + key.length + (item === null ? 0 : rowSize(item));
  return size;
}

/** Writes changes at `at`. REQUIRES: inline items have their values */
export function writeChanges(bytes: Buffer, at: number, changes: readonly Change[]): void {
  let end = at;
  for (const [key, item] of changes) {
    bytes[end] = key.length;
    bytes.writeUInt16LE(item === null ? 0 : rowSize(item), end + 1);
    bytes.write(key, end + HEAD_BYTES, 'latin1');
    end += HEAD_BYTES + key.length;
    if (item !== null) end = writeItemRow(bytes, end, item);
  }
}

/** Reads changes: the row of each, empty for a delete, as a view. Stops at what does not fit. */
export function* readChanges(bytes: Buffer): Generator<{ readonly key: string; readonly row: Buffer }, void, undefined> {
  for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
    const keyEnd = at + HEAD_BYTES + bytes[at]!;
    const end = keyEnd + bytes.readUInt16LE(at + 1);
    if (end > bytes.length) return;
    yield { key: bytes.toString('latin1', at + HEAD_BYTES, keyEnd), row: bytes.subarray(keyEnd, end) };
    at = end;
  }
}
