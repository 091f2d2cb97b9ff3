import type { U64 } from '../item.ts';

/** The commands of the memcached protocol, whatever dialect asked (protocol.md names). */
export const Op = {
  get: 0,
  gets: 1,
  gat: 2,
  gats: 3,
  set: 4,
  add: 5,
  replace: 6,
  append: 7,
  prepend: 8,
  cas: 9,
  incr: 10,
  decr: 11,
  delete: 12,
  touch: 13,
  flush_all: 14,
  version: 15,
  verbosity: 16,
  quit: 17,
  stats: 18,
  /** Tugela's own: everything so far is forced to disk. */
  sync: 19,
  /** Tugela's own: start a sweep; with words, the control commands of the expiry daemon. */
  expire: 20,
  /** Meta no-op. */
  mn: 21,
  /** Not a command: the line was refused, `refusal` says how. */
  refused: 22,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

/** True for the six commands that are followed by a data block. */
export function hasDataBlock(op: Op): boolean {
  return op >= Op.set && op <= Op.cas;
}

/**
 * One parsed command. Mutable and reused: a parser fills it, the connection executes it, and the
 * next parse overwrites it. Keys are ranges of `buffer`, never copies.
 */
export class Command {
  op: Op = Op.refused;
  /** True when the client asked for no reply. */
  noreply = false;
  /** The bytes that the key ranges refer to. */
  buffer: Buffer = Buffer.alloc(0);
  /** How many keys are valid in `keyStarts` and `keyEnds`. */
  keyCount = 0;
  readonly keyStarts: number[] = [];
  readonly keyEnds: number[] = [];
  /** Client flags, 32 bit unsigned. */
  flags = 0;
  /** Expiry time as sent: 0, relative, absolute or negative seconds, 32 bit signed. */
  exptime = 0;
  /** Bytes of the data block, without its CRLF. */
  length = 0;
  /** cas only: the id the client compares with. */
  casUnique: U64 = 0;
  /** incr and decr only. */
  delta: U64 = 0;
  /** Words after the command word, for stats, expire, flush_all, verbosity, and friends. */
  words: string[] = [];
  /** op refused only: the line to answer, without CRLF; empty = say nothing. */
  refusal = '';
  /** op refused only: bytes of input after the line that belong to the refused command and must be skipped. */
  skip = 0;
  /** op refused only: true when the connection must be closed after the reply. */
  close = false;

  /** Makes the key ranges refer to `buffer`, in which the bytes lie `shift` bytes earlier. */
  rebase(buffer: Buffer, shift: number): void {
    this.buffer = buffer;
    for (let i = 0; i < this.keyCount; i++) {
      this.keyStarts[i] = (this.keyStarts[i] ?? 0) - shift;
      this.keyEnds[i] = (this.keyEnds[i] ?? 0) - shift;
    }
  }
}
