import type { U64 } from '../item.ts';

/*
 * The header of every packet of the binary protocol, requests and replies (docs/protocol.md). Numbers are big endian.
 *
 *   0  magic         1 opcode         2-3 key length
 *   4  extras length 5 data type      6-7 vbucket, or in a reply the status
 *   8-11  body length: extras + key + value
 *   12-15 opaque
 *   16-23 cas
 *
 * Extras, key and value follow, in this order. The data type is always 0 and not looked at.
 */

/** Bytes of a header. */
export const HEADER_LENGTH = 24;

/** The first byte of a packet. */
export const Magic = { request: 0x80, reply: 0x81 } as const;

/** The opcodes that are served. A name that ends in Q is the quiet form of the one before it. */
export const Opcode = {
  get: 0x00,
  getQ: 0x09,
  getK: 0x0c,
  getKQ: 0x0d,
  set: 0x01,
  setQ: 0x11,
  add: 0x02,
  addQ: 0x12,
  replace: 0x03,
  replaceQ: 0x13,
  append: 0x0e,
  appendQ: 0x19,
  prepend: 0x0f,
  prependQ: 0x1a,
  delete: 0x04,
  deleteQ: 0x14,
  increment: 0x05,
  incrementQ: 0x15,
  decrement: 0x06,
  decrementQ: 0x16,
  touch: 0x1c,
  gat: 0x1d,
  gatQ: 0x1e,
  gatK: 0x23,
  gatKQ: 0x24,
  flush: 0x08,
  flushQ: 0x18,
  noop: 0x0a,
  version: 0x0b,
  stat: 0x10,
  quit: 0x07,
  quitQ: 0x17,
  saslList: 0x20,
  saslAuth: 0x21,
  saslStep: 0x22,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** What a reply says of its request. */
export const Status = {
  ok: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalid: 0x04,
  notStored: 0x05,
  nonNumeric: 0x06,
  authError: 0x20,
  /** Not an error: the reply's value is a challenge. */
  authContinue: 0x21,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** The value of the error reply that has a status; empty for the two statuses that are no errors. */
export const statusTexts: Readonly<Record<Status, string>> = {
  [Status.ok]: '',
  [Status.notFound]: 'Not found',
  [Status.exists]: 'Data exists for key.',
  [Status.tooLarge]: 'Too large.',
  [Status.invalid]: 'Invalid arguments',
  [Status.notStored]: 'Not stored.',
  [Status.nonNumeric]: 'Non-numeric server-side value for incr or decr',
  [Status.authError]: 'Auth failure.',
  [Status.authContinue]: '',
  [Status.unknownCommand]: 'Unknown command',
  [Status.outOfMemory]: 'Out of memory',
};

/** The fields of a header. Mutable and reused. */
export class PacketHeader {
  opcode = 0;
  keyLength = 0;
  extrasLength = 0;
  /** The status, in a reply. A request's vbucket means nothing here. */
  vbucket = 0;
  /** Bytes of extras, key and value together. */
  bodyLength = 0;
  /** The client's number for this request, which the reply repeats. 32 bit unsigned. */
  opaque = 0;
  cas: U64 = 0;
}

/** Reads the header at `at`; whoever calls has looked at its magic. REQUIRES: its 24 bytes are there. */
export function readHeader(buffer: Buffer, at: number, header: PacketHeader): void {
  header.opcode = buffer.readUInt8(at + 1);
  header.keyLength = buffer.readUInt16BE(at + 2);
  header.extrasLength = buffer.readUInt8(at + 4);
  header.vbucket = buffer.readUInt16BE(at + 6);
  header.bodyLength = buffer.readUInt32BE(at + 8);
  header.opaque = buffer.readUInt32BE(at + 12);
  header.cas = readU64(buffer, at + 16);
}

const TWO_32 = 0x1_0000_0000;

/** Above this many times 2^32 a number is not exact. */
const EXACT_HIGH_MAX = 0x1f_ffff;

/** Reads 64 bits as a canonical U64. */
export function readU64(buffer: Buffer, at: number): U64 {
  const high = buffer.readUInt32BE(at);
  const low = buffer.readUInt32BE(at + 4);
  return high <= EXACT_HIGH_MAX ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** Writes a U64 as 64 bits. */
export function writeU64(buffer: Buffer, at: number, value: U64): void {
  if (typeof value === 'number') {
    buffer.writeUInt32BE(Math.floor(value / TWO_32), at);
    buffer.writeUInt32BE(value % TWO_32, at + 4);
  } else {
    buffer.writeBigUInt64BE(value, at);
  }
}
