import { writev, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import type { WritePace } from './write-pace.ts';

const writevAsync = promisify(writev);

/** Most buffers one writev takes (IOV_MAX). */
const IOV_MAX = 1024;

/** Bytes that are written one after the other. Those that lie so in memory too are written as one piece. */
export class Run {
  readonly start: number;
  end: number;
  readonly #pieces: Buffer[] = [];
  /** What the last piece lies in, and where; the next bytes go on with it when they follow it there. */
  #bytes: Buffer | undefined;
  #pieceStart = 0;
  #pieceEnd = 0;

  constructor(start: number) {
    this.start = start;
    this.end = start;
  }

  /** True when another record may not fit into one writev. */
  get isFull(): boolean {
    return this.#pieces.length + 4 > IOV_MAX;
  }

  /** Adds some of the bytes of a buffer. */
  add(bytes: Buffer, start: number, end: number): void {
    this.end += end - start;
    if (bytes !== this.#bytes || start !== this.#pieceEnd) {
      this.#endPiece();
      this.#bytes = bytes;
      this.#pieceStart = start;
    }
    this.#pieceEnd = end;
  }

  pieces(): Buffer[] {
    this.#endPiece();
    this.#bytes = undefined;
    return this.#pieces;
  }

  #endPiece(): void {
    if (this.#bytes !== undefined && this.#pieceEnd > this.#pieceStart) this.#pieces.push(this.#bytes.subarray(this.#pieceStart, this.#pieceEnd));
  }
}

/** Writes a run to its place in a file; at once with `mayBlock`, as long as that is not slow. */
export async function writeRun(fd: number, run: Run, pace: WritePace, mayBlock: boolean): Promise<void> {
  let left = run.pieces();
  let position = run.start;
  while (left.length > 0) {
    const startedMs = performance.now();
    const blocks = mayBlock && pace.isOn(startedMs);
    const written = blocks ? writevSync(fd, left, position) : (await writevAsync(fd, left, position)).bytesWritten;
    pace.finish(startedMs, performance.now(), blocks);
    position += written;
    left = afterBytes(left, written);
  }
}

/** What is left of a list of buffers after its first `bytes` bytes. */
function afterBytes(buffers: Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  let i = 0;
  while (i < buffers.length && skip >= buffers[i]!.length) skip -= buffers[i++]!.length;
  const rest = buffers.slice(i);
  if (skip > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}
