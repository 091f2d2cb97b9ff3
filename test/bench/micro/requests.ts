import { HEADER_LENGTH, Magic, Opcode } from '../../../src/protocol/binary-header.ts';

/** Bytes that a server reads at once: the requests lie one after the other in so many. */
const CHUNK_BYTES = 64 * 1024;

/** Requests of one kind, back to back. */
export interface Requests {
  readonly name: string;
  readonly bytes: Buffer;
  readonly count: number;
  /** Bytes of a data block and what ends it, behind each request. */
  readonly blockBytes: number;
}

/** Requests of the text protocol, and their first word. */
export interface TextRequests extends Requests {
  readonly word: string;
}

/** A key of 16 bytes. Neighbours differ in most of them. */
export function keyOf(index: number): string {
  return `key:${Math.imul(index + 1, 0x9e37_79b1).toString(36).replace('-', 'm').padStart(12, '0')}`;
}

function textRequests(name: string, blockLength: number | undefined, line: (key: (offset: number) => string) => string): TextRequests {
  const block = blockLength === undefined ? '' : `${'x'.repeat(blockLength)}\r\n`;
  const lines = fill((index) => Buffer.from(`${line((offset) => keyOf(index * 16 + offset))}\r\n${block}`, 'latin1'));
  return { name, ...lines, blockBytes: block.length, word: lines.bytes.toString('latin1', 0, lines.bytes.indexOf(' ') + 1) };
}

function binaryRequests(name: string, opcode: Opcode, extras: Buffer, valueLength: number): Requests {
  const packets = fill((index) => {
    const body = Buffer.concat([extras, Buffer.from(keyOf(index), 'latin1'), Buffer.alloc(valueLength, 'x')]);
    const header = Buffer.alloc(HEADER_LENGTH);
    header[0] = Magic.request;
    header[1] = opcode;
    header.writeUInt16BE(keyOf(index).length, 2);
    header[4] = extras.length;
    header.writeUInt32BE(body.length, 8);
    header.writeUInt32BE(index, 12);
    return Buffer.concat([header, body]);
  });
  return { name, ...packets, blockBytes: valueLength };
}

function fill(make: (index: number) => Buffer): { bytes: Buffer; count: number } {
  const all: Buffer[] = [];
  let length = 0;
  for (let request = make(0); length + request.length <= CHUNK_BYTES; request = make(all.length)) {
    all.push(request);
    length += request.length;
  }
  return { bytes: Buffer.concat(all), count: all.length };
}

/** Typical requests of the text protocol, meta commands included. */
export const texts: readonly TextRequests[] = [
  textRequests('get, 1 key', undefined, (key) => `get ${key(0)}`),
  textRequests('get, 16 keys', undefined, (key) => `get ${Array.from({ length: 16 }, (_, i) => key(i)).join(' ')}`),
  textRequests('set of 1 KB', 1024, (key) => `set ${key(0)} 5 3600 1024`),
  textRequests('cas of 100 B', 100, (key) => `cas ${key(0)} 5 3600 100 1234567`),
  textRequests('incr', undefined, (key) => `incr ${key(0)} 10`),
  textRequests('mg v c f t', undefined, (key) => `mg ${key(0)} v c f t`),
  textRequests('ms of 100 B, T F', 100, (key) => `ms ${key(0)} 100 T3600 F5`),
  textRequests('md q', undefined, (key) => `md ${key(0)} q`),
  textRequests('ma D v', undefined, (key) => `ma ${key(0)} D10 v`),
];

/** Typical requests of the binary protocol. */
export const packets: readonly Requests[] = [
  binaryRequests('binary get', Opcode.get, Buffer.alloc(0), 0),
  binaryRequests('binary set of 1 KB', Opcode.set, Buffer.alloc(8, 1), 1024),
  binaryRequests('binary setq of 1 KB', Opcode.setQ, Buffer.alloc(8, 1), 1024),
];
