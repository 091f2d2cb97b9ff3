import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Magic, Opcode } from '../../src/protocol/binary-header.ts';
import { readTranscript } from '../wire/transcript.ts';

const TRANSCRIPTS = 'test/wire';
/** Longer ones take time and teach nothing. */
const SEED_MAX = 8 * 1024;

/** What clients send in the project's transcripts, one input for each case. */
export function transcriptSeeds(): Buffer[] {
  return readdirSync(TRANSCRIPTS)
    .filter((name) => name.endsWith('.txt'))
    .toSorted()
    .flatMap((name) => readTranscript(join(TRANSCRIPTS, name), name).cases)
    .map(({ steps }) =>
      Buffer.concat(steps.flatMap((step) => (step.kind === 'send' ? step.pieces.map((piece) => (piece.kind === 'bytes' ? piece.bytes : Buffer.from('1'))) : []))),
    )
    .filter((bytes) => bytes.length > 0 && bytes.length <= SEED_MAX);
}

/** Words of the text protocol, its sub-commands, and the flags of meta commands. */
export const textWords: readonly string[] = [
  'get ', 'gets ', 'gat 100 ', 'gats 0 ', 'set ', 'add ', 'replace ', 'append ', 'prepend ', 'cas ', 'incr ', 'decr ', 'touch ', 'delete ', 'flush_all ',
  'flush_all 10\r\n', 'verbosity 1\r\n', 'version\r\n', 'quit\r\n', 'mn\r\n', 'sync\r\n', 'stats', 'expire ', 'noreply', ' noreply\r\n', 'mg ', 'ms ', 'md ', 'ma ', 'me ',
  'set a 0 0 1\r\n1\r\n', 'set q:a 0 5 3\r\nabc\r\n', 'set big 0 0 300\r\n', 'get a q:a big n\r\n', 'mg a v t c s h l f k O1\r\n', 'ms a 1 T30 c\r\nx\r\n', 'md a I\r\n', 'ma n N0 J5 v\r\n',
  'expire state\r\n', 'expire due 10\r\n', 'expire list 10 - 0\r\n', 'expire remove a 1 0\r\n', 'expire keys 0\r\n', 'expire reap 9 0\r\n', 'expire delete a\r\n', 'expire jobs\r\n',
  'expire dump\r\n', 'expire evict 1\r\n', 'expire compact\r\n', 'expire report a b\r\n', 'lru_crawler metadump all\r\n', 'lru_crawler mgdump all\r\n', 'lru_crawler crawl 1,2\r\n',
  'lru mode flat\r\n', 'slabs reassign 1 2\r\n', 'slabs automove 1\r\n', 'watch fetchers\r\n', 'shutdown\r\n', 'a', 'n', 'q:a', 'big', ' v', ' t', ' c', ' k', ' q', ' b', ' S1', ' F1', ' T-1',
  ' N30', ' R10', ' E5', ' C1', ' D1', ' J0', ' M', ' I', ' x', ' Oabc', 'k'.repeat(250), 'k'.repeat(251), 'YQ==',
];

/** Meta commands that use what they have. */
export const metaSeeds: readonly Buffer[] = [
  'mg a v\r\nmg a s v f c t h l k O123 q\r\nmn\r\n',
  'ms a 3 T10 F5 c\r\nabc\r\nmg a v t\r\nmd a I T30\r\nmg a v c k s O1\r\nms a 1 I C1\r\nx\r\n',
  'ma n N0 J10 D5 v t c\r\nma n MD D3 q\r\nma n MI v\r\nmn\r\n',
  'ms YWJj 2 b\r\nhi\r\nmg YWJj b k v\r\nme YWJj b\r\nmd YWJj b q\r\n',
  'mg miss N30 v t\r\nmg miss R30 v\r\nms a 2 MA\r\nyy\r\nms a 2 MP N60\r\nzz\r\nms a 0 ME\r\n\r\nms a 1 MR E99\r\nq\r\n',
].map((text) => Buffer.from(text, 'latin1'));

/** A request of the binary protocol. */
export function packet(opcode: number, key = '', extras: readonly number[] = [], value = '', opaque = 7): Buffer {
  const bytes = Buffer.alloc(24 + extras.length + key.length + value.length);
  bytes[0] = Magic.request;
  bytes[1] = opcode;
  bytes.writeUInt16BE(key.length, 2);
  bytes[4] = extras.length;
  bytes.writeUInt32BE(bytes.length - 24, 8);
  bytes.writeUInt32BE(opaque, 12);
  Buffer.from(extras).copy(bytes, 24);
  bytes.write(key + value, 24 + extras.length, 'latin1');
  return bytes;
}

const ZEROS = (count: number): number[] => Array.from({ length: count }, () => 0);

/** Packets of all kinds. */
export const packetSeeds: readonly Buffer[] = [
  [packet(Opcode.set, 'a', ZEROS(8), 'hello'), packet(Opcode.get, 'a'), packet(Opcode.getKQ, 'b'), packet(Opcode.noop)],
  [packet(Opcode.add, 'n', [0, 0, 0, 1, 0, 0, 0, 60], '5'), packet(Opcode.increment, 'n', [...ZEROS(7), 3, ...ZEROS(12)]), packet(Opcode.decrementQ, 'm', [...ZEROS(7), 3, ...ZEROS(7), 9, 0, 0, 0, 0])],
  [packet(Opcode.appendQ, 'a', [], 'x'), packet(Opcode.prepend, 'a', [], 'y'), packet(Opcode.touch, 'a', [0, 0, 0, 9]), packet(Opcode.gatK, 'a', [0, 0, 0, 9]), packet(Opcode.gatQ, 'q:z', ZEROS(4))],
  [packet(Opcode.replace, 'q:b', ZEROS(8), 'z'.repeat(300)), packet(Opcode.setQ, 'q:b', ZEROS(8), 'z'.repeat(300)), packet(Opcode.deleteQ, 'a'), packet(Opcode.flushQ, '', [0, 0, 0, 5]), packet(Opcode.flush)],
  [packet(Opcode.stat), packet(Opcode.stat, 'items'), packet(Opcode.version), packet(Opcode.quit)],
  [packet(Opcode.saslList), packet(Opcode.saslAuth, 'PLAIN', [], '\0u\0p'), packet(Opcode.saslAuth, 'CRAM-MD5'), packet(Opcode.saslStep, 'CRAM-MD5', [], 'u 00')],
].map((packets) => Buffer.concat(packets));

/** Keys and opcodes, and headers whose lengths lie. */
export const packetWords: readonly string[] = [
  ...[packet(Opcode.get, 'a'), packet(Opcode.set, 'a', ZEROS(8), 'v'), packet(Opcode.noop), packet(Opcode.stat)].map((bytes) => bytes.toString('latin1')),
  '\x80', '\x81', '\xff\xff\xff\xff', '\x7f\xff\xff\xff', '\0\0\0\0', '\0\xfb', 'a',
];
