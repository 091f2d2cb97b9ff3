import type { Store } from '../store/store.ts';
import { STEP_BYTES } from '../store/tuning.ts';
import { checkedValueOf, recordKeyAt, recordSizeAt, valueOfRecord } from '../store/value-record.ts';

/** Bytes of a segment read at a time. */
const CHUNK_BYTES = 2 ** 20;
/** Records handed over at a time: what is done with them is one step of the event loop. */
const BATCH_RECORDS = 256;
/** Bytes of a segment after which those found so far are handed over: each keeps all of the bytes read with it in memory. */
const SPAN_BYTES = 4 * CHUNK_BYTES;

/** A record as it lies in a segment, alive or dead. */
export interface WalkedRecord {
  readonly key: string;
  readonly offset: number;
  readonly record: Buffer;
  /** True when its checksum was compared already, as it is for a large one, which takes some steps of the event loop. */
  readonly isChecked: boolean;
}

/**
 * The records of a segment in their order, up to `batch` at a time, without those that are known to be dead. Ends early at
 * what cannot be read, and leaves out large ones that are damaged.
 */
export async function* recordsOf({ values, deadRecords }: Store, id: number, batch: number = BATCH_RECORDS): AsyncGenerator<readonly WalkedRecord[], void, undefined> {
  let records: WalkedRecord[] = [];
  for (let at = values.firstRecord; at < values.size(id); ) {
    let chunk = await values.scan(id, at, CHUNK_BYTES);
    const first = recordSizeAt(chunk, 0);
    if (first > chunk.length) chunk = await values.scan(id, at, first);
    let used = 0;
    for (let size = first; size > 0 && used + size <= chunk.length; size = recordSizeAt(chunk, used)) {
      if (!deadRecords.has(id, at + used)) {
        const key = recordKeyAt(chunk, used);
        const record = chunk.subarray(used, used + size);
        const isChecked = size > STEP_BYTES && (await checkedValueOf(record, key)) !== undefined;
        if (isChecked || size <= STEP_BYTES) records.push({ key, offset: at + used, record, isChecked });
      }
      used += size;
      if (records.length < batch) continue;
      yield records;
      records = [];
    }
    if (used === 0) break;
    at += used;
    if (records.length === 0 || at - records[0]!.offset < SPAN_BYTES) continue;
    yield records;
    records = [];
  }
  if (records.length > 0) yield records;
}

/** True when a record is as it was written. */
export function isWhole({ key, record, isChecked }: WalkedRecord): boolean {
  return isChecked || valueOfRecord(record, key) !== undefined;
}
