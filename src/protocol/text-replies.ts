import type { U64 } from '../item.ts';
import { lines } from './lines.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

const SPACE = 0x20;

/**
 * Appends `VALUE KEY FLAGS LENGTH[ CAS]` and CRLF (protocol.txt, "Retrieval command"). The caller appends the `length` bytes
 * of the value and their CRLF. `cas` is undefined for get and gat.
 */
export function valueLine(
  out: ReplyBuffer,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  flags: number,
  length: number,
  cas: U64 | undefined,
): void {
  out.ascii('VALUE ');
  out.copy(key, keyStart, keyEnd);
  out.byte(SPACE);
  out.u64(flags);
  out.byte(SPACE);
  out.u64(length);
  if (cas !== undefined) {
    out.byte(SPACE);
    out.u64(cas);
  }
  out.crlf();
}

/** Appends `STAT NAME VALUE` and CRLF (protocol.txt, "Statistics"). */
export function statLine(out: ReplyBuffer, name: string, value: string | U64): void {
  out.ascii('STAT ');
  out.ascii(name);
  out.byte(SPACE);
  if (typeof value === 'string') {
    out.ascii(value);
  } else {
    out.u64(value);
  }
  out.crlf();
}

/** Appends the line of incr and decr: the new number. */
export function numberLine(out: ReplyBuffer, value: U64): void {
  out.u64(value);
  out.crlf();
}

/** Appends `VERSION TEXT` and CRLF. */
export function versionLine(out: ReplyBuffer, version: string): void {
  out.ascii('VERSION ');
  out.ascii(version);
  out.crlf();
}

/** Appends a text and CRLF: what the `refusal` of a refused command holds. Nothing for the empty one. */
export function refusalLine(out: ReplyBuffer, refusal: string): void {
  if (refusal !== '') {
    out.ascii(refusal);
    out.crlf();
  }
}

/** Appends `END` and CRLF, after values and statistics. */
export function end(out: ReplyBuffer): void {
  out.line(lines.end);
}
