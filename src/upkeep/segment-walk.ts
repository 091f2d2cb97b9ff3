import { STEP_BYTES } from '../steps.ts';
import type { Store } from '../store/store.ts';
import { checkedValueOf, isAsWritten, isGroupEndAt, recordKeyAt, recordSizeAt } from '../store/value-record.ts';

/** Bytes of a segment read at a time. */
const CHUNK_BYTES = 2 ** 20;
/** Records handed over at a time: what is done with them is one step of the event loop. */
const BATCH_RECORDS = 256;
/** Bytes of records after which those found so far are handed over. */
const BATCH_BYTES = CHUNK_BYTES;

/** A record as it lies in a segment, alive or dead. */
export interface WalkedRecord {
  readonly key: string;
  readonly offset: number;
  /** Good until the next records are asked for, unless `isOwn`. */
  readonly record: Buffer;
  /** True when its memory is not used again. */
  readonly isOwn: boolean;
  /** True when its checksum was compared already, as it is for a large one, which takes some steps of the event loop. */
  readonly isChecked: boolean;
}

/**
 * The records of a segment in their order, up to `batch()` at a time, without those that are known to be dead, and without ends of
 * groups. Ends early at what cannot be read, and leaves out large ones that are damaged.
 *
 * All is read into one buffer, and the records are views of it: V8 collects its whole heap for every few MiB of new buffers, which
 * was twelve times a second for 6 ms here, and seen in the p99 of gets (8 ms for 1 ms).
 */
export async function* recordsOf({ values, deadRecords }: Store, id: number, batch: () => number = () => BATCH_RECORDS): AsyncGenerator<readonly WalkedRecord[], void, undefined> {
  let records: WalkedRecord[] = [];
  let bytes = 0;
  let most = batch();
  const into = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = values.firstRecord; at < values.size(id); ) {
    let chunk = await values.scan(id, at, into);
    const first = recordSizeAt(chunk, 0);
    const isLarge = first > chunk.length;
    if (isLarge && deadRecords.has(id, at)) {
      at += first;
      continue;
    }
    // A damaged head may tell any length.
    if (isLarge) chunk = await values.scan(id, at, Buffer.allocUnsafeSlow(Math.min(first, values.size(id) - at)));
    let used = 0;
    for (let size = first; size > 0 && used + size <= chunk.length; size = recordSizeAt(chunk, used)) {
      if (!deadRecords.has(id, at + used) && !isGroupEndAt(chunk, used)) {
        const key = recordKeyAt(chunk, used);
        const record = chunk.subarray(used, used + size);
        const isChecked = size > STEP_BYTES && (await checkedValueOf(record, key)) !== undefined;
        if (isChecked || size <= STEP_BYTES) records.push({ key, offset: at + used, record, isOwn: isLarge, isChecked });
        bytes += size;
      }
      used += size;
      if (records.length < most && bytes < BATCH_BYTES) continue;
      yield records;
      records = [];
      bytes = 0;
      most = batch();
    }
    // The next are read over them.
    if (records.length > 0) yield records;
    records = [];
    bytes = 0;
    if (used === 0) break;
    at += used;
  }
}

/** True when a record is as it was written. */
export function isWhole({ record, isChecked }: WalkedRecord): boolean {
  return isChecked || isAsWritten(record);
}
