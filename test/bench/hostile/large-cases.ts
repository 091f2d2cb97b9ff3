import { Opcode } from '../../../src/protocol/binary-header.ts';
import type { Asker } from './victim.ts';

/** Something to do to a server, and how. */
export interface Case {
  readonly name: string;
  readonly run: (client: Asker, port: number) => Promise<unknown>;
  /** True for what may take longer than a command: accepting connections that come all at once. */
  readonly isUnbound?: true;
}

const MB = 1_000_000;

/** Bytes of the head of a packet of the binary protocol. */
const PACKET_HEAD = 24;

/** Whatever a command does with a value of so many MB: what a large --max-item-size allows. */
export function largeCases(size: number): Case[] {
  const length = size * MB;
  const set = (verb = 'set', trailer = ''): readonly (string | Buffer)[] => [`${verb} l 0 1000 ${length}${trailer}\r\n`, Buffer.alloc(length, 'x'), '\r\n'];
  return [
    { name: `set of ${size} MB`, run: (c) => c.ask(set(), 'STORED\r\n') },
    { name: `the same again`, run: (c) => c.ask(set(), 'STORED\r\n') },
    { name: `get of ${size} MB`, run: (c) => c.ask('get l\r\n', 'END\r\n') },
    { name: `mg of ${size} MB`, run: (c) => c.ask('mg l v\r\nmn\r\n', 'MN\r\n') },
    { name: `gat of ${size} MB`, run: (c) => c.ask('gat 2000 l\r\n', 'END\r\n') },
    { name: `touch of ${size} MB`, run: (c) => c.ask('touch l 3000\r\n', 'TOUCHED\r\n') },
    { name: `incr of ${size} MB`, run: (c) => c.ask('incr l 1\r\n', 'value\r\n') },
    { name: `append to ${size} MB`, run: (c) => c.ask('append l 0 0 1\r\nx\r\n', 'STORED\r\n') },
    { name: `prepend to ${size} MB`, run: (c) => c.ask('prepend l 0 0 1\r\nx\r\n', 'STORED\r\n') },
    { name: `ms in mode append to ${size} MB, and mg behind it`, run: (c) => c.ask('ms l 1 MA q\r\nx\r\nmg l v\r\nmn\r\n', 'MN\r\n') },
    { name: `append of ${size / 2} MB to as much, and get behind it`, run: (c) => c.ask([`set h 0 1000 ${length / 2} noreply\r\n`, Buffer.alloc(length / 2, 'x'), `\r\nappend h 0 0 ${length / 2} noreply\r\n`, Buffer.alloc(length / 2, 'y'), '\r\nget h\r\n'], 'END\r\n') },
    { name: `set of ${size} MB, and get behind it`, run: (c) => c.ask([...set('set', ' noreply'), 'get l\r\n'], 'END\r\n') },
    { name: `expire dump of ${1.5 * size} MB`, run: (c) => c.ask('expire dump\r\nmn\r\n', 'MN\r\n') },
    { name: `delete of ${size} MB`, run: (c) => c.ask('delete l\r\n', 'DELETED\r\n') },
  ];
}

/** The same for the binary protocol: each connection speaks one alone. */
export function largeBinaryCases(size: number): Case[] {
  const value = Buffer.alloc(size * MB, 'x');
  return [
    { name: `binary set of ${size} MB`, run: (c) => askPackets(c, packet(Opcode.set, 8, 'b', value.length), value) },
    { name: `binary get of ${size} MB`, run: (c) => askPackets(c, packet(Opcode.get, 0, 'b', 0)) },
    { name: `binary append to ${size} MB`, run: (c) => askPackets(c, packet(Opcode.append, 0, 'b', 1), Buffer.from('x')) },
    { name: `binary delete of ${size} MB`, run: (c) => askPackets(c, packet(Opcode.delete, 0, 'b', 0)) },
  ];
}

/** Sends packets and a noop behind them, and waits for the answer to that: it ends with a head without a body. */
export function askPackets(client: Asker, ...parts: Buffer[]): Promise<string> {
  return client.ask([...parts, packet(Opcode.noop, 0, '', 0)], `\x81\x0a${'\0'.repeat(PACKET_HEAD - 2)}`);
}

/** A request up to its value, its extras zero. */
export function packet(opcode: number, extrasLength: number, key: string, valueLength: number): Buffer {
  const head = Buffer.alloc(PACKET_HEAD + extrasLength);
  head[0] = 0x80;
  head[1] = opcode;
  head.writeUInt16BE(key.length, 2);
  head[4] = extrasLength;
  head.writeUInt32BE(extrasLength + key.length + valueLength, 8);
  return Buffer.concat([head, Buffer.from(key, 'latin1')]);
}
