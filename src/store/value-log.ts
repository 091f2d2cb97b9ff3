import { closeSync, constants, fdatasync, fsync, openSync, open, read, readSync, write } from 'node:fs';
import { mkdir, open as openFile, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TugelaError } from '../errors.ts';
import type { Place } from '../item.ts';
import { Run, writeRun } from './record-run.ts';
import { Unsynced } from './unsynced.ts';
import { WritePace } from './write-pace.ts';

const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);
const fsyncAsync = promisify(fsync);
const openAsync = promisify(open);
const readAsync = promisify(read);

/** First bytes of every segment. */
export const SEGMENT_MAGIC: Buffer = Buffer.from('tugela values 1\n', 'latin1');
/** A segment is full at this size, unless another is chosen; a single larger value gets a segment of its own. */
export const SEGMENT_BYTES: number = 64 * 2 ** 20;
/** A segment is closed for its age from so many bytes on: smaller ones would only be more files. */
const AGED_BYTES = 2 ** 20;
/** Segments kept open for reading; more are closed, oldest segments first. */
const OPEN_SEGMENTS = 256;

/**
 * Bytes of one read that does not block. A larger record is read in pieces: what an earlier value took is being given
 * back meanwhile, which V8 does beside us, instead of after two values have been in memory.
 */
const READ_BYTES = 4 * 2 ** 20;

/** A record to write at a place that `reserve` gave. */
export interface RecordWrite {
  readonly place: Place;
  /** What the record, or its beginning, lies in, from `start` to `end`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** What follows it, if that lies elsewhere: two pieces at most. */
  readonly rest: readonly Buffer[];
  /** False when its checksum is not yet in its head. */
  readonly isSummed: boolean;
}

/** Of a record that lies in one piece. */
export const NO_REST: readonly Buffer[] = [];

/** The write of a record that is whole, and has a buffer of its own. */
export function wholeRecord(place: Place, record: Buffer): RecordWrite {
  return { place, bytes: record, start: 0, end: record.length, rest: NO_REST, isSummed: true };
}

/** Bytes that are written for it. Those of a place that is not needed are fewer than it has. */
export function writtenBytes({ place, start, end, rest }: RecordWrite): number {
  return rest.length > 0 ? place.size : end - start;
}

/** What the value log has on disk. */
export interface ValueLogStats {
  readonly segments: number;
  readonly bytes: number;
}

interface Segment {
  readonly id: number;
  /** Unix seconds at which the first place in it was given away. */
  readonly openedAt: number;
  /** Bytes reserved so far; the file's size once all is written. */
  size: number;
  fd: number | undefined;
  /** Being opened for writing. */
  opening: Promise<number> | undefined;
  /** Reads and writes under way: the descriptor must stay open. */
  busy: number;
  readonly unsynced: Unsynced;
  sealed: boolean;
}

/**
 * Values too large for LevelDB's levels, each written once, in append-only segment files `N.values`
 * (docs/storage-format.md). Not a database: which records are alive is in LevelDB alone. A record is
 * in its file before the batch that points to it is written, and a file is removed only after what
 * made it empty is on disk, so that no crash leaves a pointer to nothing.
 *
 * Values with like times to live share segments (`kind`), so that they die together and their space
 * comes back by removing files.
 */
export class ValueLog {
  readonly #directory: string;
  readonly #segments = new Map<number, Segment>();
  /** By kind. */
  readonly #active: (Segment | undefined)[] = [];
  readonly #segmentBytes: number;
  #next: number;
  #bytes = 0;
  #open = 0;
  /** Of the names of files. */
  readonly #unsyncedNames = new Unsynced();
  /** Of the segments that were there at the start: a process that was killed may not have forced what it wrote to disk. */
  readonly #unsyncedFound = new Unsynced();
  #found: readonly number[] = [];
  readonly #pace = new WritePace();
  /** For each pin the number of the first segment that it does not hold. */
  readonly #pins = new Set<{ readonly before: number }>();

  private constructor(directory: string, next: number, segmentBytes: number) {
    this.#directory = directory;
    this.#next = next;
    this.#segmentBytes = segmentBytes;
  }

  /** Opens the log in a directory, made if it is not there. The next segment has the number `next`, or one above all that are there. */
  static async open(directory: string, next: number, segmentBytes: number = SEGMENT_BYTES): Promise<ValueLog> {
    const isNew = (await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined;
    // Or all segments could be gone with their directory, however often they were synced.
    if (isNew) await syncDirectory(dirname(directory));
    const log = new ValueLog(directory, next, segmentBytes);
    for (const name of await readdir(directory)) {
      const id = segmentNumber(name);
      if (id === undefined) continue;
      const { size } = await stat(join(directory, name));
      log.#segments.set(id, { ...newSegment(id, 0), size, sealed: true });
      log.#bytes += size;
      log.#next = Math.max(log.#next, id + 1);
    }
    log.#found = log.ids();
    log.#unsyncedFound.note();
    log.#unsyncedNames.note();
    return log;
  }

  /** Number that the next segment will have: what the store must remember. */
  get next(): number {
    return this.#next;
  }

  /** Gives a place for a record of so many bytes, among those of its kind, in a segment that was begun less than `fillSeconds` ago. */
  reserve(kind: number, size: number, now: number = 0, fillSeconds: number = Number.POSITIVE_INFINITY): Place {
    let segment = this.#active[kind];
    if (segment === undefined || this.#isFull(segment, size) || this.#isAged(segment, now - fillSeconds)) {
      if (segment !== undefined) segment.sealed = true;
      segment = newSegment(this.#next++, now);
      this.#segments.set(segment.id, segment);
      this.#active[kind] = segment;
      this.#bytes += segment.size;
    }
    const place = { segment: segment.id, offset: segment.size, size };
    segment.size += size;
    this.#bytes += size;
    return place;
  }

  /** Gives a place at the end of a segment, be it full or closed. */
  extend(id: number, size: number): Place {
    const segment = this.#segments.get(id)!;
    const place = { segment: id, offset: segment.size, size };
    segment.size += size;
    this.#bytes += size;
    return place;
  }

  /** Where the next records of kinds below `kinds` will lie, by segment. */
  ends(kinds: number): Map<number, number> {
    const ends = new Map<number, number>();
    for (const segment of this.#active.slice(0, kinds)) if (segment !== undefined) ends.set(segment.id, segment.size);
    return ends;
  }

  /** The segment that values of a kind go to now, if any. */
  activeOf(kind: number): number | undefined {
    return this.#active[kind]?.id;
  }

  /** True when nothing more will be put into a segment. */
  isSealed(id: number): boolean {
    return this.#segments.get(id)?.sealed ?? true;
  }

  /** Bytes at which a segment is full. */
  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  /** Closes a segment to further records. */
  seal(id: number): void {
    const kind = this.#active.findIndex((segment) => segment?.id === id);
    if (kind < 0) return;
    this.#active[kind]!.sealed = true;
    this.#active[kind] = undefined;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of a segment, dead ones included; 0 when there is none. */
  size(id: number): number {
    return this.#segments.get(id)?.size ?? 0;
  }

  /** Numbers of all segments. */
  ids(): number[] {
    return [...this.#segments.keys()];
  }

  stats(): ValueLogStats {
    return { segments: this.#segments.size, bytes: this.#bytes };
  }

  /** Writes records to their places. Resolves when the operating system has them. */
  async write(writes: readonly RecordWrite[]): Promise<void> {
    const bySegment = new Map<number, RecordWrite[]>();
    let bytes = 0;
    for (const write of writes) {
      bytes += writtenBytes(write);
      const list = bySegment.get(write.place.segment);
      if (list === undefined) bySegment.set(write.place.segment, [write]);
      else list.push(write);
    }
    const mayBlock = this.#pace.mayBlock(bytes);
    // When one fails the others must have ended all the same: their descriptors may be closed next.
    const outcomes = await Promise.allSettled([...bySegment].map(([id, list]) => this.#writeSegment(id, list, mayBlock)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /**
   * Reads a record. Undefined when the segment is gone or the file too short. `key` is not looked at:
   * the caller checks what it gets (value-record.ts).
   */
  async read(place: Place): Promise<Buffer | undefined> {
    const record = await this.#readUpTo(place);
    return record?.length === place.size ? record : undefined;
  }

  /** Reads what there is of a range of a segment, into a buffer of its own unless there is one. */
  async #readUpTo(place: Place, into?: Buffer): Promise<Buffer | undefined> {
    const segment = this.#segments.get(place.segment);
    if (segment === undefined) return undefined;
    segment.busy++;
    try {
      const fd = segment.fd ?? (await this.#openForReading(segment));
      if (fd === undefined) return undefined;
      const record = into?.subarray(0, place.size) ?? Buffer.allocUnsafeSlow(place.size);
      for (let at = 0; at < place.size; ) {
        const { bytesRead } = await readAsync(fd, record, at, Math.min(READ_BYTES, place.size - at), place.offset + at);
        if (bytesRead === 0) return record.subarray(0, at);
        at += bytesRead;
      }
      return record;
    } finally {
      segment.busy--;
      this.#closeIdle();
    }
  }

  /** Reads a record at once, blocking the process. For small records of files in the page cache. */
  readNow(place: Place, into: Buffer): boolean {
    const segment = this.#segments.get(place.segment);
    if (segment === undefined) return false;
    if (segment.fd === undefined) {
      try {
        segment.fd = openSync(this.#path(segment.id), constants.O_RDWR);
      } catch (cause) {
        if (isNotFound(cause)) return false;
        throw cause;
      }
      this.#open++;
      // Not the one just opened.
      segment.busy++;
      this.#closeIdle();
      segment.busy--;
    }
    return readSync(segment.fd, into, 0, place.size, place.offset) === place.size;
  }

  /** Reads as many bytes of a segment from `offset` as there are, and `into` holds. Returns what was read, a part of `into`. */
  async scan(id: number, offset: number, into: Buffer): Promise<Buffer> {
    const size = Math.min(into.length, this.size(id) - offset);
    if (size <= 0) return into.subarray(0, 0);
    return (await this.#readUpTo({ segment: id, offset, size }, into)) ?? into.subarray(0, 0);
  }

  /** Offset of a segment's first record. */
  get firstRecord(): number {
    return SEGMENT_MAGIC.length;
  }

  /**
   * Forces all that was written before the call to disk, by the process before this one too; of these segments alone, where they are
   * named, which are then of this process.
   */
  sync(ids?: ReadonlySet<number>): Promise<void> {
    return this.#pace.whileSyncing(() => this.#sync(ids));
  }

  async #sync(ids: ReadonlySet<number> | undefined): Promise<void> {
    if (ids === undefined) await this.#unsyncedFound.force(() => this.#syncFound());
    const unsynced = [...this.#segments.values()].filter((segment) => segment.unsynced.isSome && ids?.has(segment.id) !== false);
    await Promise.all(unsynced.map((segment) => segment.unsynced.force(() => this.#syncSegment(segment))));
    await this.#unsyncedNames.force(() => syncDirectory(this.#directory));
  }

  /** One after the other, with descriptors of their own: there may be thousands, most of them long on disk. */
  async #syncFound(): Promise<void> {
    for (const id of this.#found) {
      if (!this.#segments.has(id)) continue;
      let handle;
      try {
        handle = await openFile(this.#path(id), 'r');
      } catch (error) {
        // It was removed meanwhile.
        if (isNotFound(error)) continue;
        throw error;
      }
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }
    this.#found = [];
  }

  async #syncSegment(segment: Segment): Promise<void> {
    // It could not be opened, or is gone.
    if (segment.fd === undefined) return;
    segment.busy++;
    try {
      await fdatasyncAsync(segment.fd);
    } finally {
      segment.busy--;
    }
  }

  /** Keeps all segments of now from being removed, for who reads rows of now, until what it returns is called. */
  pin(): () => void {
    const pin = { before: this.#next };
    this.#pins.add(pin);
    return () => void this.#pins.delete(pin);
  }

  /**
   * Removes a segment's file; false when it is in use just now.
   * REQUIRES: nothing on disk refers to it, not even after a power failure.
   */
  async remove(id: number): Promise<boolean> {
    const segment = this.#segments.get(id);
    if (segment === undefined) return true;
    if (segment.busy > 0 || this.#isPinned(id)) return false;
    this.seal(id);
    this.#segments.delete(id);
    this.#bytes -= segment.size;
    this.#close(segment);
    try {
      await unlink(this.#path(id));
    } catch (cause) {
      // A segment that was reserved but never written has no file.
      if (!isNotFound(cause)) throw cause;
    }
    return true;
  }

  close(): void {
    for (const segment of this.#segments.values()) this.#close(segment);
    this.#segments.clear();
    this.#active.length = 0;
  }

  #isFull(segment: Segment, more: number): boolean {
    return segment.size > SEGMENT_MAGIC.length && segment.size + more > this.#segmentBytes;
  }

  #isAged({ openedAt, size }: Segment, openedBy: number): boolean {
    return openedAt <= openedBy && size >= Math.min(AGED_BYTES, this.#segmentBytes / 2);
  }

  #isPinned(id: number): boolean {
    for (const { before } of this.#pins) if (id < before) return true;
    return false;
  }

  async #writeSegment(id: number, writes: RecordWrite[], mayBlock: boolean): Promise<void> {
    const segment = this.#segments.get(id);
    if (segment === undefined) throw new TugelaError('TUGELA_STORE_FAILED', `Cannot write to value segment ${id}: it is gone`);
    segment.busy++;
    try {
      const fd = segment.fd ?? (await this.#openForWriting(segment));
      let run = new Run(0);
      for (const { place, bytes, start, end, rest } of writes) {
        // A record that was overwritten while it waited leaves a gap.
        if (place.offset !== run.end || run.isFull) {
          await writeRun(fd, run, this.#pace, mayBlock);
          run = new Run(place.offset);
        }
        run.add(bytes, start, end);
        for (const piece of rest) run.add(piece, 0, piece.length);
      }
      await writeRun(fd, run, this.#pace, mayBlock);
    } finally {
      segment.unsynced.note();
      segment.busy--;
    }
  }

  /** Opens a segment once for all who write to it now: the second opening of a new one would cut off what the first has written. */
  #openForWriting(segment: Segment): Promise<number> {
    segment.opening ??= this.#openNow(segment).finally(() => (segment.opening = undefined));
    return segment.opening;
  }

  async #openNow(segment: Segment): Promise<number> {
    const existing = segment.size > 0 && segment.sealed;
    const fd = await openAsync(
      this.#path(segment.id),
      constants.O_RDWR | constants.O_CREAT | (existing ? 0 : constants.O_TRUNC),
      0o600,
    );
    segment.fd = fd;
    this.#open++;
    this.#unsyncedNames.note();
    await writeAsync(fd, SEGMENT_MAGIC, 0, SEGMENT_MAGIC.length, 0);
    return fd;
  }

  async #openForReading(segment: Segment): Promise<number | undefined> {
    try {
      const fd = await openAsync(this.#path(segment.id), constants.O_RDWR);
      if (segment.fd !== undefined) {
        // Another read opened it meanwhile.
        closeSync(fd);
        return segment.fd;
      }
      segment.fd = fd;
      this.#open++;
      return fd;
    } catch (cause) {
      if (isNotFound(cause)) return undefined;
      throw cause;
    }
  }

  /** Closes sealed segments that nobody uses just now while too many are open, oldest first. */
  #closeIdle(): void {
    if (this.#open <= OPEN_SEGMENTS) return;
    for (const segment of this.#segments.values()) {
      if (this.#open <= OPEN_SEGMENTS) return;
      if (segment.sealed && segment.busy === 0 && !segment.unsynced.isSome) this.#close(segment);
    }
  }

  #close(segment: Segment): void {
    if (segment.fd === undefined) return;
    closeSync(segment.fd);
    segment.fd = undefined;
    this.#open--;
  }

  #path(id: number): string {
    return join(this.#directory, segmentName(id));
  }
}

/** Name of a segment's file. */
export function segmentName(id: number): string {
  return `${String(id).padStart(6, '0')}.values`;
}

/** Forces a directory's list of files to disk. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  try {
    await fsyncAsync(handle.fd);
  } finally {
    await handle.close();
  }
}

function newSegment(id: number, openedAt: number): Segment {
  return { id, openedAt, size: SEGMENT_MAGIC.length, fd: undefined, opening: undefined, busy: 0, unsynced: new Unsynced(), sealed: false };
}

/** The number of the segment that a file of this name is; undefined when it is none. */
export function segmentNumber(name: string): number | undefined {
  const match = /^(\d{6,})\.values$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
