import { describe, expect, it, test } from 'vitest';
import { Op } from '../../src/cache/command.ts';
import { HEADER_LENGTH, Magic, Opcode, PacketHeader, readHeader, readU64, Status, statusTexts } from '../../src/protocol/binary-header.ts';
import { BinaryRequest, parsePacket } from '../../src/protocol/binary-parser.ts';
import {
  AUTHENTICATED, challengePacket, errorPacket, failedPackets, FailureText, hitPacket, isSilent, missPacket, numberPacket, type Outcome,
  outcomePacket, refusalPacket, statEnd, statPacket, statPackets, statusOf, textPacket, touchedPacket,
} from '../../src/protocol/binary-replies.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';

const OPAQUE = 0xfedcba98;

/** The request that a packet with these lengths of extras and this key makes. */
function request(opcode: number, key = '', extras = 0): BinaryRequest {
  const bytes = Buffer.alloc(HEADER_LENGTH + extras);
  bytes[0] = Magic.request;
  bytes[1] = opcode;
  bytes.writeUInt16BE(key.length, 2);
  bytes[4] = extras;
  bytes.writeUInt32BE(extras + key.length, 8);
  bytes.writeUInt32BE(OPAQUE, 12);
  const request = new BinaryRequest();
  const packet = Buffer.concat([bytes, Buffer.from(key, 'latin1')]);
  expect(parsePacket(packet, 0, packet.length, request)).toBeGreaterThan(0);
  return request;
}

/** Reads all replies that are written; `extras` and `value` as Latin-1. */
function write(fill: (out: ReplyBuffer) => void): Record<string, unknown>[] {
  const out = new ReplyBuffer();
  fill(out);
  const replies: Record<string, unknown>[] = [];
  const header = new PacketHeader();
  for (let at = 0; at < out.length; ) {
    readHeader(out.bytes, at, header);
    const extras = at + HEADER_LENGTH;
    const key = extras + header.extrasLength;
    const value = key + header.keyLength;
    const end = extras + header.bodyLength;
    expect(value <= end && end <= out.length).toBe(true);
    expect([out.bytes[at], out.bytes[at + 5], header.opaque]).toEqual([Magic.reply, 0, OPAQUE]);
    const text = (from: number, to: number) => out.bytes.toString('latin1', from, to);
    replies.push({
      opcode: header.opcode, status: header.vbucket, cas: header.cas,
      extras: text(extras, key), key: text(key, value), value: text(value, end),
    });
    at = end;
  }
  return replies;
}

function reply(opcode: number, fields: Record<string, unknown>): Record<string, unknown> {
  return { opcode, status: 0, cas: 0, extras: '', key: '', value: '', ...fields };
}

const hits = [
  [Opcode.get, 0, ''], [Opcode.getQ, 0, ''], [Opcode.getK, 0, 'key'], [Opcode.getKQ, 0, 'key'],
  [Opcode.gat, 4, ''], [Opcode.gatQ, 4, ''], [Opcode.gatK, 4, 'key'], [Opcode.gatKQ, 4, 'key'],
] as const;

test.each(hits)('hitPacket() leaves the value to the caller, opcode %i', (opcode, extras, key) => {
  const packets = write((out) => {
    hitPacket(out, request(opcode, 'key', extras), 0xdeadbeef, 5, 2n ** 64n - 1n);
    out.ascii('value');
  });
  expect(packets).toEqual([reply(opcode, { cas: 2n ** 64n - 1n, extras: '\xde\xad\xbe\xef', key, value: 'value' })]);
});

test.each(hits)('missPacket() is silent for quiet forms and repeats the key for the others, opcode %i', (opcode, extras, key) => {
  const miss = reply(opcode, { status: Status.notFound, key, value: key === '' ? 'Not found' : '' });
  const asked = request(opcode, 'key', extras);
  expect(write((out) => missPacket(out, asked))).toEqual(asked.quiet ? [] : [miss]);
});

it('hitPacket() announces a value that is too large to be copied', () => {
  const out = new ReplyBuffer();
  hitPacket(out, request(Opcode.getK, 'key'), 0, 128 * 1024 * 1024, 1);
  expect(out.length).toBe(HEADER_LENGTH + 4 + 3);
  expect(out.bytes.readUInt32BE(8)).toBe(4 + 3 + 128 * 1024 * 1024);
});

it('touch is answered with the flags, or misses', () => {
  const touch = request(Opcode.touch, 'key', 4);
  expect(write((out) => touchedPacket(out, touch, 7, 9))).toEqual([reply(Opcode.touch, { cas: 9, extras: '\0\0\0\x07' })]);
  expect(write((out) => missPacket(out, touch))).toEqual([reply(Opcode.touch, { status: 1, value: 'Not found' })]);
});

describe('outcomePacket()', () => {
  const requests: [string, number, number, string, number][] = [
    ['set', Opcode.set, Opcode.setQ, 'key', 8], ['add', Opcode.add, Opcode.addQ, 'key', 8],
    ['replace', Opcode.replace, Opcode.replaceQ, 'key', 8], ['append', Opcode.append, Opcode.appendQ, 'key', 0],
    ['prepend', Opcode.prepend, Opcode.prependQ, 'key', 0], ['delete', Opcode.delete, Opcode.deleteQ, 'key', 0],
    ['increment', Opcode.increment, Opcode.incrementQ, 'key', 20], ['decrement', Opcode.decrement, Opcode.decrementQ, 'key', 20],
    ['flush', Opcode.flush, Opcode.flushQ, '', 0], ['quit', Opcode.quit, Opcode.quitQ, '', 0],
  ];
  const failures: [Outcome, Status][] = [
    ['exists', Status.exists], ['not_found', Status.notFound], ['non_numeric', Status.nonNumeric],
    ['too_large', Status.tooLarge], ['out_of_memory', Status.outOfMemory], ['not_allowed', Status.authError],
  ];

  test.each(requests)('%s: a quiet form hides success and nothing else', (_, opcode, quietOpcode, key, extras) => {
    const loud = request(opcode, key, extras);
    const quiet = request(quietOpcode, key, extras);
    for (const outcome of ['ok', 'stored', 'deleted', 'touched'] as const) {
      expect(write((out) => outcomePacket(out, loud, outcome, 77))).toEqual([reply(opcode, { cas: 77 })]);
      expect(write((out) => outcomePacket(out, quiet, outcome, 77))).toEqual([]);
    }
    for (const [outcome, status] of failures) {
      for (const asked of [loud, quiet]) {
        expect(write((out) => outcomePacket(out, asked, outcome, 77))).toEqual([
          reply(asked.opcode, { status, value: statusTexts[status] })]);
      }
    }
  });

  it('noop is answered', () => {
    expect(write((out) => outcomePacket(out, request(Opcode.noop), 'ok', 0))).toEqual([reply(Opcode.noop, {})]);
  });

  test.each([
    [Op.add, Status.exists], [Op.replace, Status.notFound], [Op.append, Status.notStored], [Op.prepend, Status.notStored],
    [Op.incr, Status.notStored], [Op.decr, Status.notStored],
  ])('what not_stored means for op %i', (op, status) => {
    expect(statusOf('not_stored', op)).toBe(status);
  });
});

it('isSilent() hides the miss of quiet gets and never their errors', () => {
  const asked = request(Opcode.getQ, 'key');
  expect(isSilent(asked, Status.notFound)).toBe(true);
  expect(isSilent(asked, Status.ok)).toBe(false);
  expect(isSilent(asked, Status.outOfMemory)).toBe(false);
  expect(isSilent(request(Opcode.get, 'key'), Status.notFound)).toBe(false);
});

it('numberPacket() writes 64 bits', () => {
  const incr = request(Opcode.increment, 'key', 20);
  expect(write((out) => numberPacket(out, incr, 2n ** 64n - 1n, 2n ** 63n))).toEqual([
    reply(Opcode.increment, { cas: 2n ** 63n, value: '\xff'.repeat(8) })]);
  const out = new ReplyBuffer();
  numberPacket(out, incr, 2 ** 53 - 1, 1);
  expect(readU64(out.bytes, HEADER_LENGTH)).toBe(2 ** 53 - 1);
  expect(write((out) => numberPacket(out, request(Opcode.decrementQ, 'key', 20), 1, 1))).toEqual([]);
});

it('refusalPacket() answers what is refused, unless it is to be left unanswered', () => {
  const unknown = request(0x55);
  expect(write((out) => refusalPacket(out, unknown))).toEqual([reply(0x55, { status: 0x81, value: 'Unknown command' })]);
  const alien = new BinaryRequest();
  parsePacket(Buffer.from('get'), 0, 3, alien);
  expect(write((out) => refusalPacket(out, alien))).toEqual([]);
});

it('errorPacket() takes another text', () => {
  const to = { opcode: 0x11, opaque: OPAQUE };
  expect(write((out) => errorPacket(out, to, Status.outOfMemory, FailureText.read))).toEqual([
    reply(0x11, { status: 0x82, value: 'cannot read from disk' })]);
});

it('texts and challenges are values', () => {
  const to = { opcode: Opcode.saslAuth, opaque: OPAQUE };
  expect(write((out) => {
    textPacket(out, to, AUTHENTICATED);
    challengePacket(out, to, Buffer.from([0, 255]));
  })).toEqual([reply(to.opcode, { value: 'Authenticated' }), reply(to.opcode, { status: 0x21, value: '\0\xff' })]);
});

it('statistics are packets, and an empty one ends them', () => {
  const to = request(Opcode.stat);
  const stat = (key: string, value: string) => reply(Opcode.stat, { key, value });
  expect(write((out) => {
    statPacket(out, to, 'pid', 17);
    statPacket(out, to, 'cas', 2n ** 64n - 1n);
    statPacket(out, to, 'version', '1.2');
    statEnd(out, to);
  })).toEqual([stat('pid', '17'), stat('cas', '18446744073709551615'), stat('version', '1.2'), stat('', '')]);
  expect(write((out) => statPackets(out, to, 'STAT a 1\r\nSTAT path /a b\r\nSTAT none \r\nEND\r\n'))).toEqual([
    stat('a', '1'), stat('path', '/a b'), stat('none', '')]);
  expect(write((out) => statPackets(out, to, 'RESET\r\n'))).toEqual([]);
});

it('failedPackets() turns replies into errors', () => {
  const packets = new ReplyBuffer();
  outcomePacket(packets, request(Opcode.noop), 'ok', 0);
  const start = packets.length;
  hitPacket(packets, request(Opcode.gatK, 'key', 4), 0, 5, 1);
  packets.ascii('value');
  outcomePacket(packets, request(Opcode.set, 'key', 8), 'stored', 2);
  const end = packets.length;
  outcomePacket(packets, request(Opcode.noop), 'ok', 0);
  expect(write((out) => failedPackets(out, packets.bytes, start, end, FailureText.write))).toEqual(
    [Opcode.gatK, Opcode.set].map((opcode) => reply(opcode, { status: 0x82, value: 'cannot write to disk' })));
});
