import type { ValueLog } from '../store/value-log.ts';
import { readRecordHead } from '../store/value-record.ts';

/** Bytes of a segment read at a time. */
const CHUNK_BYTES = 2 ** 20;
/** Records handed over at a time: what is done with them is one step of the event loop. */
const BATCH_RECORDS = 256;

/** A record as it lies in a segment, alive or dead. */
export interface WalkedRecord {
  readonly key: string;
  readonly offset: number;
  readonly record: Buffer;
}

/** The records of a segment in their order, up to `batch` at a time. Ends early at what cannot be read. */
export async function* recordsOf(values: ValueLog, id: number, batch: number = BATCH_RECORDS): AsyncGenerator<readonly WalkedRecord[], void, undefined> {
  let at = values.firstRecord;
  while (at < values.size(id)) {
    let chunk = await values.scan(id, at, CHUNK_BYTES);
    const first = readRecordHead(chunk, 0);
    if (first === undefined) return;
    if (first.size > chunk.length) chunk = await values.scan(id, at, first.size);
    let records: WalkedRecord[] = [];
    let used = 0;
    for (let head = readRecordHead(chunk, 0); head !== undefined && used + head.size <= chunk.length; head = readRecordHead(chunk, used)) {
      records.push({ key: head.key, offset: at + used, record: chunk.subarray(used, used + head.size) });
      used += head.size;
      if (records.length < batch) continue;
      yield records;
      records = [];
    }
    if (records.length > 0) yield records;
    if (used === 0) return;
    at += used;
  }
}
