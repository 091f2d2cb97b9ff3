import { type Command, Op } from '../cache/command.ts';
import { LINE_MAX } from './limits.ts';
import { isWord } from './command-word.ts';
import { NEED_MORE } from './text-parser.ts';

/*
 * What a client of the text protocol may say before it has authenticated (docs/protocol.md):
 *
 *   set ANY ANY ANY LENGTH ANY*     + LENGTH bytes, the token, + CRLF
 *   token  =  ' '* USER ' '+ PASSWORD ' '*
 *
 * It looks like a set, so that every client can send it. Words are separated by blanks; a line ends in LF or CRLF.
 */

/** Largest token: it is collected in memory for somebody who is not known yet. */
export const TOKEN_MAX: number = 16 * 1024;

/** Bytes before the LF below which memcached cuts the client off: no line that means anything is so short, `quit` is. */
const LINE_MIN = 6;

const SPACE = 0x20;
const LF = 0x0a;
const CR = 0x0d;
const ZERO = 0x30;

/** Which word of a set is the length. */
const LENGTH_WORD = 4;

/** The replies to who is not let in, without CRLF. */
export const AuthRefusal = {
  unauthenticated: 'CLIENT_ERROR unauthenticated',
  failure: 'CLIENT_ERROR authentication failure',
  badToken: 'CLIENT_ERROR bad authentication token format',
  badEnd: 'CLIENT_ERROR bad command line termination',
  tokenTooLong: 'CLIENT_ERROR auth token too long',
} as const;

/**
 * Parses one line of the bytes from `start` to `end`, and fills `command` with it: op Op.set and the `length` of the
 * token that follows, or op Op.refused with the `refusal` to answer. Returns the bytes of the line, or NEED_MORE.
 *
 * `scanFrom` is where to look for the LF: `start`, or the `end` of an earlier call that returned NEED_MORE.
 *
 * REQUIRES: start <= scanFrom <= end <= buffer.length
 */
export function parseAuthLine(buffer: Buffer, start: number, end: number, scanFrom: number, command: Command): number {
  const found = buffer.subarray(scanFrom, end).indexOf(LF);
  if (found < 0) {
    if (end - start <= LINE_MAX) return NEED_MORE;
    refuse(command, '', true);
    return end - start;
  }
  const lineFeed = scanFrom + found;
  if (lineFeed - start < LINE_MIN) refuse(command, '', true);
  else takeLine(buffer, start, lineFeed > start && buffer[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed, command);
  return lineFeed + 1 - start;
}

/** Splits a token into user and password, as views; undefined when it has no two words. */
export function splitToken(token: Buffer): { readonly user: Buffer; readonly password: Buffer } | undefined {
  let start = 0;
  let end = token.length;
  while (start < end && token[start] === SPACE) start++;
  while (end > start && token[end - 1] === SPACE) end--;
  const space = token.subarray(0, end).indexOf(SPACE, start);
  if (space < 0) return undefined;
  let password = space;
  while (token[password] === SPACE) password++;
  return { user: token.subarray(start, space), password: token.subarray(password, end) };
}

function takeLine(buffer: Buffer, start: number, end: number, command: Command): void {
  let length: number | undefined;
  let at = start;
  for (let word = 0; word <= LENGTH_WORD; word++) {
    while (at < end && buffer[at] === SPACE) at++;
    const wordStart = at;
    while (at < end && buffer[at] !== SPACE) at++;
    if (word === 0 && !isWord(buffer, wordStart, at, 'set')) break;
    if (word === LENGTH_WORD) length = lengthOf(buffer, wordStart, at);
  }
  if (length === undefined) refuse(command, AuthRefusal.unauthenticated, false);
  // Not skipped: who means it well sends no such token, and whoever does not may send anything.
  else if (length > TOKEN_MAX) refuse(command, AuthRefusal.tokenTooLong, false);
  else fill(command, Op.set, length);
}

/** A number of any length; all above TOKEN_MAX are alike. Undefined when it is none. */
function lengthOf(buffer: Buffer, start: number, end: number): number | undefined {
  if (start === end) return undefined;
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = buffer[i]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    length = Math.min(length * 10 + digit, TOKEN_MAX + 1);
  }
  return length;
}

function refuse(command: Command, refusal: string, close: boolean): void {
  fill(command, Op.refused, 0);
  command.refusal = refusal;
  command.close = close;
}

function fill(command: Command, op: Op, length: number): void {
  command.op = op;
  command.length = length;
  command.noreply = false;
  command.keyCount = 0;
  command.skip = 0;
  command.refusal = '';
  command.close = false;
}
