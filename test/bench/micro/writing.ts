import { Command, MetaFields } from '../../../src/cache/command.ts';
import { HEADER_LENGTH, Magic } from '../../../src/protocol/binary-header.ts';
import { BinaryRequest, parsePacket } from '../../../src/protocol/binary-parser.ts';
import { hitPacket, outcomePacket } from '../../../src/protocol/binary-replies.ts';
import { lines } from '../../../src/protocol/lines.ts';
import { metaReply } from '../../../src/protocol/meta-replies.ts';
import { ReplyBuffer } from '../../../src/protocol/reply-buffer.ts';
import { parseLine } from '../../../src/protocol/text-parser.ts';
import { valueLine } from '../../../src/protocol/text-replies.ts';
import { type Contest, type ContestGroup, mustAgree, type Pass } from './contest.ts';
import { keyOf, packets } from './requests.ts';

/** Replies of one pass: they fit the buffer without its growing. */
const COUNT = 512;

/** What a reply tells. */
interface Told {
  readonly key: Buffer;
  readonly flags: number;
  readonly length: number;
  readonly cas: number;
}

const told: readonly Told[] = Array.from({ length: COUNT }, (_, i) => ({
  key: Buffer.from(keyOf(i), 'latin1'),
  flags: i & 31,
  length: 100 + i,
  cas: 1_000_000 + i * 977,
}));

/** Writing of replies up to the value, which is copied whatever its protocol. */
export function writingGroup(): ContestGroup {
  const { meta } = parsedLine('mg key v c f t\r\n');
  const get = parsedPacket(0);
  const set = parsedPacket(1);
  const fields = new MetaFields();
  return {
    title: 'Writing of replies, ns per reply',
    contestants: ['tugela', 'floor', 'naive'],
    references: ['floor', 'naive'],
    showsExtra: false,
    contests: [
      contest(
        'VALUE line',
        (out, { key, flags, length }) => valueLine(out, key, 0, key.length, flags, length, undefined),
        ({ key, flags, length }) => text(`VALUE ${key.toString('latin1')} ${flags} ${length}\r\n`),
      ),
      contest(
        'VALUE line with cas',
        (out, { key, flags, length, cas }) => valueLine(out, key, 0, key.length, flags, length, cas),
        ({ key, flags, length, cas }) => text(`VALUE ${key.toString('latin1')} ${flags} ${length} ${cas}\r\n`),
      ),
      contest(
        'VA line, c f t',
        (out, { flags, length, cas }) => {
          fields.reset();
          fields.cas = cas;
          fields.clientFlags = flags;
          fields.ttl = -1;
          metaReply(out, 'VA', meta, fields, length);
        },
        ({ flags, length, cas }) => text(`VA ${length} c${cas} f${flags} t-1\r\n`),
      ),
      contest('STORED', (out) => out.line(lines.stored), () => text('STORED\r\n')),
      contest(
        'binary hit',
        (out, { flags, length, cas }) => hitPacket(out, get, flags, length, cas),
        ({ flags, length, cas }) => naivePacket(get, flags, length, cas),
      ),
      contest(
        'binary stored',
        (out, { cas }) => outcomePacket(out, set, 'stored', cas),
        ({ cas }) => naivePacket(set, undefined, 0, cas),
      ),
    ],
  };
}

/** The floor copies replies that are ready; the naive way makes a buffer of each, and copies that. */
function contest(name: string, write: (out: ReplyBuffer, told: Told) => void, make: (told: Told) => Buffer): Contest {
  const ready = told.map(make);
  const writeAll = (work: (out: ReplyBuffer, index: number) => void): { pass: Pass; out: ReplyBuffer } => {
    const out = new ReplyBuffer();
    const pass = (): number => {
      out.reset();
      for (let i = 0; i < COUNT; i++) work(out, i);
      return out.length + (out.bytes[out.length - 1] ?? 0);
    };
    return { pass, out };
  };
  const tugela = writeAll((out, i) => write(out, told[i] as Told));
  const floor = writeAll((out, i) => out.line(ready[i] as Buffer));
  const naive = writeAll((out, i) => out.line(make(told[i] as Told)));
  mustAgree(name, [tugela.pass(), floor.pass(), naive.pass()]);
  const bytes = tugela.out.length;
  if (!tugela.out.slice(0, bytes).equals(naive.out.slice(0, bytes))) throw new Error(`${name}: replies differ`);
  return { name, count: COUNT, bytes: bytes / COUNT, passes: new Map([['tugela', tugela.pass], ['floor', floor.pass], ['naive', naive.pass]]) };
}

function text(line: string): Buffer {
  return Buffer.from(line, 'latin1');
}

function naivePacket(request: BinaryRequest, flags: number | undefined, length: number, cas: number): Buffer {
  const extrasLength = flags === undefined ? 0 : 4;
  const packet = Buffer.alloc(HEADER_LENGTH + extrasLength);
  packet.writeUInt8(Magic.reply, 0);
  packet.writeUInt8(request.opcode, 1);
  packet.writeUInt8(extrasLength, 4);
  packet.writeUInt32BE(extrasLength + length, 8);
  packet.writeUInt32BE(request.opaque, 12);
  packet.writeBigUInt64BE(BigInt(cas), 16);
  if (flags !== undefined) packet.writeUInt32BE(flags, HEADER_LENGTH);
  return packet;
}

function parsedLine(line: string): Command {
  const command = new Command();
  parseLine(text(line), 0, line.length, 0, command);
  return command;
}

function parsedPacket(index: number): BinaryRequest {
  const request = new BinaryRequest();
  const bytes = packets[index]?.bytes ?? Buffer.alloc(0);
  parsePacket(bytes, 0, bytes.length, request);
  return request;
}
