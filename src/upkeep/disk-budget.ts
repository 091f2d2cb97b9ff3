import { TABLE_FILE_BYTES, WRITE_BUFFER_BYTES } from '../store/tuning.ts';
import { SEGMENT_BYTES } from '../store/value-log.ts';

const MIB = 2 ** 20;
/** What LevelDB may take besides for a moment: two write buffers with their logs, and tables that a compaction replaces. */
const WRITE_BUFFERS = 3;
const TABLES = 12;
const WRITE_BUFFER_BYTES_MIN = 2 * MIB;
/** Segments that one pass of eviction may write before it gives one back. */
const SEGMENTS_AHEAD = 2;
/** Segments that a limit is divided into, so that eviction goes in steps that are small against it. */
const SEGMENTS_PER_LIMIT = 64;
const SEGMENT_BYTES_MIN = 1 * MIB;

/** What takes space on disk just now. */
export interface DiskUse {
  /** Bytes of LevelDB's files when they were last looked at. */
  readonly levelMeasured: number;
  /** Bytes given to LevelDB since. */
  readonly levelWritten: number;
  /** Bytes of value segments. */
  readonly values: number;
}

/**
 * The marks of a limit on bytes on disk, from low to high:
 *
 *     low    eviction ends
 *     begin  the expiry daemon begins to evict
 *     high   the server evicts by itself, because there is no daemon or it does not keep up
 *     full   stores are refused
 *     limit  never reached: between full and limit is what LevelDB takes for a moment
 */
export class DiskBudget {
  readonly limit: number;
  readonly low: number;
  readonly begin: number;
  readonly high: number;
  readonly full: number;
  /** Bytes of a value segment, of LevelDB's write buffer and of its tables: small limits need small steps. */
  readonly segmentBytes: number;
  readonly writeBufferBytes: number;
  readonly tableBytes: number;

  constructor(limit: number) {
    this.limit = limit;
    this.segmentBytes = Math.min(SEGMENT_BYTES, Math.max(SEGMENT_BYTES_MIN, Math.floor(limit / SEGMENTS_PER_LIMIT)));
    this.writeBufferBytes = Math.min(WRITE_BUFFER_BYTES, Math.max(WRITE_BUFFER_BYTES_MIN, Math.floor(limit / SEGMENTS_PER_LIMIT)));
    this.tableBytes = Math.min(TABLE_FILE_BYTES, this.writeBufferBytes);
    this.full = limit - Math.max(0.04 * limit, WRITE_BUFFERS * this.writeBufferBytes + TABLES * this.tableBytes);
    this.high = this.full - Math.max(0.04 * limit, SEGMENTS_AHEAD * this.segmentBytes);
    this.low = this.high - Math.max(0.03 * limit, 2 * this.segmentBytes);
    this.begin = (this.low + this.high) / 2;
  }
}

/** Bytes on disk, an upper estimate between two looks. */
export function bytesOf({ levelMeasured, levelWritten, values }: DiskUse): number {
  return levelMeasured + levelWritten + values;
}
