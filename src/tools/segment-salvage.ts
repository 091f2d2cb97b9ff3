import { crc32 } from 'node:zlib';
import { SEGMENT_MAGIC } from '../store/value-log.ts';
import { readU53 } from '../store/item-row.ts';
import { decodeGroupEnd, readRecordHead, recordBitsAt, recordKeyAt } from '../store/value-record.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { NewItem } from './store-writer.ts';

const WINDOW_BYTES = 4 * 2 ** 20;
const HEAD_BYTES = 32;

/**
 * All undamaged records of a segment, alive or dead, with what was known of their items when they were written. What
 * is damaged is passed over: the next record is looked for byte by byte.
 */
export async function* salvageSegment(files: SegmentFiles, id: number): AsyncGenerator<NewItem, void, undefined> {
  const fileSize = files.sizes.get(id) ?? 0;
  let windowAt = SEGMENT_MAGIC.length;
  while (windowAt < fileSize) {
    let window = await files.read({ segment: id, offset: windowAt, size: Math.min(WINDOW_BYTES, fileSize - windowAt) });
    let at = 0;
    while (at < window.length) {
      const size = readRecordHead(window, at)?.size ?? 0;
      const isPossible = size > 0 && windowAt + at + size <= fileSize;
      if (isPossible && at + size > window.length) {
        // It is cut off by the window: it is looked at from its beginning.
        if (at > 0) break;
        window = await files.read({ segment: id, offset: windowAt, size });
      }
      const item = isPossible ? itemOf(window.subarray(at, at + size)) : undefined;
      if (item !== undefined && item !== 'none') yield item;
      at += item === undefined ? 1 : size;
      // A head may be cut off as well.
      if (window.length - at < HEAD_BYTES + 250 && windowAt + window.length < fileSize) break;
    }
    windowAt += Math.max(1, at);
  }
}

/** The item in a record, if it has one; undefined when its checksum is wrong. */
function itemOf(record: Buffer): NewItem | 'none' | undefined {
  if (record.readUInt32LE(0) !== crc32(record.subarray(4))) return undefined;
  if (decodeGroupEnd(record) !== undefined) return 'none';
  const key = recordKeyAt(record, 0);
  return {
    key,
    flags: record.readUInt32LE(12),
    expiresAt: record.readUInt32LE(16),
    storedAt: record.readUInt32LE(20),
    cas: readU53(record, 24),
    chosenCas: undefined,
    bits: recordBitsAt(record, 0),
    value: Buffer.from(record.subarray(HEAD_BYTES + key.length)),
  };
}
