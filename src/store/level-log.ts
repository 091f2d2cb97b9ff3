import { maskedCrc32c } from './crc32c.ts';

/*
 * LevelDB's log format, in which its write-ahead logs and its manifests are written, little endian:
 *
 *     log      := { block }                          each of 32 KiB, the last one shorter
 *     block    := { fragment } { 0x00 }*0..6
 *     fragment := crc(u32) length(u16) type(u8) data  type: 1 = whole record, 2 = first, 3 = middle, 4 = last part
 *
 * crc is the masked CRC-32C of type and data.
 */
const BLOCK_BYTES = 32 * 1024;
const HEAD_BYTES = 7;
const WHOLE = 1;
const FIRST = 2;
const LAST = 4;

/** What disks write at once: a run of zeros of this size, in its place, was never written. */
const SECTOR_BYTES = 512;

/** A record of a log. */
export interface LogRecord {
  /** Where its first fragment begins, and its last one ends. */
  readonly start: number;
  readonly end: number;
  /** A view of the log where it was written in one piece. */
  readonly data: Buffer;
}

/** A place of a log that is no record. */
export interface LogBreak {
  /** Where the last record in front of it ends. */
  readonly start: number;
  /** Where the next record begins; the log's end where none follows. */
  readonly end: number;
}

/** What a log holds. */
export interface LogContents {
  readonly records: readonly LogRecord[];
  /** Places that are no records, in order. The last one may be what a crash left of a record. */
  readonly breaks: readonly LogBreak[];
}

/**
 * Reads a log. LevelDB itself, told of a fragment that fails its checksum, passes over the rest of its block without a
 * word, and goes on with the next: what is here a break is there nothing at all.
 */
export function readLevelLog(log: Buffer): LogContents {
  const records: LogRecord[] = [];
  const breaks: LogBreak[] = [];
  let good = 0;
  let parts: { start: number; pieces: Buffer[] } | undefined;
  for (let at = nextFragment(log, 0); at < log.length; ) {
    const length = fragmentLength(log, at);
    if (length === undefined) {
      parts = undefined;
      at = resume(log, at);
      continue;
    }
    const type = log[at + 6]!;
    const data = log.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
    const next = at + HEAD_BYTES + length;
    if (type === WHOLE || type === FIRST) parts = { start: at, pieces: [data] };
    else if (parts !== undefined) parts.pieces.push(data);
    if (parts !== undefined && (type === WHOLE || type === LAST)) {
      if (parts.start > nextFragment(log, good)) breaks.push({ start: good, end: parts.start });
      records.push({ start: parts.start, end: next, data: parts.pieces.length === 1 ? data : Buffer.concat(parts.pieces) });
      good = next;
      parts = undefined;
    }
    at = nextFragment(log, next);
  }
  if (nextFragment(log, good) < log.length) breaks.push({ start: good, end: log.length });
  return { records, breaks };
}

/** True when a part of a log, of the size and in the place of a sector, is zeros: it never reached the disk. */
export function hasUnwrittenSector(log: Buffer, from: number, to: number): boolean {
  const zeros = Buffer.alloc(SECTOR_BYTES);
  for (let at = Math.ceil(from / SECTOR_BYTES) * SECTOR_BYTES; at < to; at += SECTOR_BYTES) {
    const sector = log.subarray(at, Math.min(at + SECTOR_BYTES, to));
    if (sector.equals(zeros.subarray(0, sector.length))) return true;
  }
  return false;
}

/** Where a fragment after `at` would begin: what is left of a block is filled up when a head does not fit. */
function nextFragment(log: Buffer, at: number): number {
  const left = BLOCK_BYTES - (at % BLOCK_BYTES);
  return Math.min(left < HEAD_BYTES ? at + left : at, log.length);
}

/** Bytes of data of the fragment at `at`; undefined when there is none that is whole and fits its checksum. */
function fragmentLength(log: Buffer, at: number): number | undefined {
  const blockEnd = Math.min(at - (at % BLOCK_BYTES) + BLOCK_BYTES, log.length);
  if (at + HEAD_BYTES > blockEnd) return undefined;
  const length = log.readUInt16LE(at + 4);
  const type = log[at + 6]!;
  const end = at + HEAD_BYTES + length;
  if (type < WHOLE || type > LAST || end > blockEnd) return undefined;
  return log.readUInt32LE(at) === maskedCrc32c(log, at + 6, end) ? length : undefined;
}

/** Where to go on after what is no fragment: behind it, if its length is right, or else in the next block. */
function resume(log: Buffer, at: number): number {
  const block = at - (at % BLOCK_BYTES) + BLOCK_BYTES;
  if (at + HEAD_BYTES <= log.length) {
    for (let next = at + HEAD_BYTES + log.readUInt16LE(at + 4); next + HEAD_BYTES <= Math.min(block, log.length); ) {
      if (fragmentLength(log, next) !== undefined) return next;
      const length = log.readUInt16LE(next + 4);
      if (length === 0) break;
      next += HEAD_BYTES + length;
    }
  }
  return Math.min(block, log.length);
}

/** True when a log from `from` on is what was written of records when writing stopped: nothing in it is wrong, it only ends early. */
export function endsShort(log: Buffer, from: number): boolean {
  for (let at = nextFragment(log, from); at < log.length; ) {
    const length = fragmentLength(log, at);
    if (length !== undefined) {
      at = nextFragment(log, at + HEAD_BYTES + length);
      continue;
    }
    const block = at - (at % BLOCK_BYTES) + BLOCK_BYTES;
    if (block <= log.length) return false;
    if (at + HEAD_BYTES > log.length) return true;
    const type = log[at + 6]!;
    const end = at + HEAD_BYTES + log.readUInt16LE(at + 4);
    return type >= WHOLE && type <= LAST && end > log.length && end <= block;
  }
  return true;
}
