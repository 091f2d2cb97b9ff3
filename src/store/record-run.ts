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
  #last: Buffer | undefined;
  /** Bytes of the last piece and of what directly follows it in memory. */
  #lastLength = 0;

  constructor(start: number) {
    this.start = start;
    this.end = start;
  }

  /** True when another record may not fit into one writev. */
  get isFull(): boolean {
    return this.#pieces.length + 4 > IOV_MAX;
  }

  add(bytes: Buffer): void {
    this.end += bytes.length;
    const last = this.#last;
    if (last !== undefined && bytes.buffer === last.buffer && bytes.byteOffset === last.byteOffset + this.#lastLength) {
      this.#lastLength += bytes.length;
      return;
    }
    this.#endPiece();
    this.#last = bytes;
    this.#lastLength = bytes.length;
  }

  pieces(): Buffer[] {
    this.#endPiece();
    this.#last = undefined;
    return this.#pieces;
  }

  #endPiece(): void {
    const last = this.#last;
    if (last === undefined || this.#lastLength === 0) return;
    this.#pieces.push(last.length === this.#lastLength ? last : Buffer.from(last.buffer, last.byteOffset, this.#lastLength));
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
