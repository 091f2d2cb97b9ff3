import { HEADER_LENGTH } from '../../../src/protocol/binary-header.ts';

const LF = 0x0a;

/** What the naive parsers find. One object for all, so that nobody can leave out what is put into it. */
export class NaiveRequest {
  word = '';
  keys: readonly string[] = [];
  flags = 0;
  exptime = 0;
  length = 0;
  cas = 0n;
  delta = 0n;
  opaque = 0;
  meta: readonly string[] = [];
}

/** Parses a line as one would at first: find its end, make a string, split it, turn words into numbers. Returns its bytes. */
export function splitLine(bytes: Buffer, at: number, request: NaiveRequest): number {
  const end = bytes.indexOf(LF, at);
  const words = bytes.toString('latin1', at, end - 1).split(' ');
  const word = words[0] ?? '';
  request.word = word;
  request.length = 0;
  if (word === 'get') {
    request.keys = words.slice(1);
    return end + 1 - at;
  }
  request.keys = [words[1] ?? ''];
  switch (word) {
    case 'set':
    case 'cas':
      request.flags = Number(words[2]);
      request.exptime = Number(words[3]);
      request.length = Number(words[4]);
      if (word === 'cas') request.cas = BigInt(words[5] ?? 0);
      break;
    case 'incr':
      request.delta = BigInt(words[2] ?? 0);
      break;
    case 'ms':
      request.length = Number(words[2]);
      takeFlags(request, words, 3);
      break;
    default:
      takeFlags(request, words, 2);
      break;
  }
  return end + 1 - at;
}

function takeFlags(request: NaiveRequest, words: readonly string[], from: number): void {
  request.meta = words.slice(from);
  for (const flag of request.meta) {
    if (flag.startsWith('T')) request.exptime = Number(flag.slice(1));
    else if (flag.startsWith('F')) request.flags = Number(flag.slice(1));
    else if (flag.startsWith('D')) request.delta = BigInt(flag.slice(1));
  }
}

/** Parses a packet as one would at first: each field by its read method, the key as a string. Returns its bytes without the value. */
export function readFields(bytes: Buffer, at: number, request: NaiveRequest): number {
  const keyLength = bytes.readUInt16BE(at + 2);
  const extrasLength = bytes.readUInt8(at + 4);
  const keyStart = at + HEADER_LENGTH + extrasLength;
  request.word = String(bytes.readUInt8(at + 1));
  request.length = bytes.readUInt32BE(at + 8) - extrasLength - keyLength;
  request.opaque = bytes.readUInt32BE(at + 12);
  request.cas = bytes.readBigUInt64BE(at + 16);
  request.keys = [bytes.toString('latin1', keyStart, keyStart + keyLength)];
  if (extrasLength === 8) {
    request.flags = bytes.readUInt32BE(at + HEADER_LENGTH);
    request.exptime = bytes.readUInt32BE(at + HEADER_LENGTH + 4);
  }
  return HEADER_LENGTH + extrasLength + keyLength;
}
