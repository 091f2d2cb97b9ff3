import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { Op } from '../../src/cache/command.ts';
import type { U64 } from '../../src/item.ts';
import { HEADER_LENGTH, Magic, Opcode, PacketHeader, readHeader, readU64, Status, writeU64 } from '../../src/protocol/binary-header.ts';
import { BinaryRequest, BODY_MAX, parsePacket, peekPacketKeys, type SaslState } from '../../src/protocol/binary-parser.ts';
import { NEED_MORE } from '../../src/protocol/text-parser.ts';

/** The parts of a request; the lengths in the header are those of the parts unless they are given. */
interface Packet {
  magic?: number;
  opcode: number;
  extras?: Buffer;
  key?: string;
  value?: string;
  opaque?: number;
  vbucket?: number;
  cas?: U64;
  bodyLength?: number;
}

const U64_MAX = 2n ** 64n - 1n;
const opNames = new Map<Op, string>(Object.entries(Op).map(([name, op]) => [op, name]));

function packet(parts: Packet): Buffer {
  const { extras = Buffer.alloc(0), key = '', value = '' } = parts;
  const header = Buffer.alloc(HEADER_LENGTH);
  header[0] = parts.magic ?? Magic.request;
  header[1] = parts.opcode;
  header.writeUInt16BE(key.length, 2);
  header[4] = extras.length;
  header.writeUInt16BE(parts.vbucket ?? 0, 6);
  header.writeUInt32BE(parts.bodyLength ?? extras.length + key.length + value.length, 8);
  header.writeUInt32BE(parts.opaque ?? 0, 12);
  writeU64(header, 16, parts.cas ?? 0);
  return Buffer.concat([header, extras, Buffer.from(key + value, 'latin1')]);
}

/** Extras of 32-bit numbers. */
function u32s(...numbers: number[]): Buffer {
  const extras = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => extras.writeUInt32BE(number, i * 4));
  return extras;
}

/** Extras of incr and decr. */
function arithmetic(delta: U64, initial: U64, exptime: number): Buffer {
  const extras = Buffer.alloc(20);
  writeU64(extras, 0, delta);
  writeU64(extras, 8, initial);
  extras.writeUInt32BE(exptime, 16);
  return extras;
}

/** The fields of a request that differ from those of an empty one, in plain values. */
function describeRequest(request: BinaryRequest): Record<string, unknown> {
  const { command } = request;
  const all: Record<string, unknown> = {
    opcode: request.opcode,
    op: opNames.get(command.op),
    keys: Array.from({ length: command.keyCount }, (_, i) => command.buffer.toString('latin1', command.keyStarts[i], command.keyEnds[i])),
    opaque: request.opaque,
    cas: request.cas,
    casUnique: command.casUnique,
    length: command.length,
    hasValue: request.hasValue,
    quiet: request.quiet,
    returnsKey: request.returnsKey,
    createsMissing: request.createsMissing,
    initial: request.initial,
    status: request.status,
    skip: request.skip,
    close: request.close,
    statKey: request.statKey,
    mechanism: request.mechanism,
    isSasl: request.isSasl,
  };
  switch (command.op) {
    case Op.set:
    case Op.add:
    case Op.replace:
    case Op.cas:
      all['flags'] = command.flags;
      all['exptime'] = command.exptime;
      break;
    case Op.incr:
    case Op.decr:
      all['delta'] = command.delta;
      all['exptime'] = command.exptime;
      break;
    case Op.touch:
    case Op.gat:
    case Op.flush_all:
      all['exptime'] = command.exptime;
      break;
    case Op.stats:
      all['words'] = command.words;
      break;
    default:
      break;
  }
  return all;
}

/** What a request looks like that sets nothing but these fields. */
function expected(fields: Record<string, unknown>): Record<string, unknown> {
  return {
    keys: [], opaque: 0, cas: 0, casUnique: 0, length: 0, hasValue: false, quiet: false, returnsKey: false,
    createsMissing: false, initial: 0, status: 0, skip: 0, close: false, statKey: '', mechanism: '', isSasl: false, ...fields,
  };
}

function parse(parts: Packet, sasl: SaslState = 'off'): Record<string, unknown> {
  const request = new BinaryRequest();
  // Something before and behind, so that ends and offsets matter.
  const bytes = Buffer.concat([Buffer.from('before'), packet(parts), Buffer.alloc(3, 0xff)]);
  const consumed = parsePacket(bytes, 6, bytes.length - 3, request, sasl);
  expect(consumed).not.toBe(NEED_MORE);
  if (request.status === Status.ok && !request.close) {
    expect(consumed).toBe(bytes.length - 9 - (parts.value ?? '').length);
    expect(request.command.length).toBe((parts.value ?? '').length);
  }
  return describeRequest(request);
}

/** Parses a stream that arrives in the given chunks, as a connection does. Ends at a packet that closes. */
function parseChunks(chunks: readonly Buffer[], sasl: SaslState): Record<string, unknown>[] {
  const total = Buffer.concat(chunks);
  // The bytes after `end` are not there yet; whoever reads them finds another packet.
  const buffer = Buffer.alloc(total.length + 40, Magic.request);
  const request = new BinaryRequest();
  const requests: Record<string, unknown>[] = [];
  let start = 0;
  let end = 0;
  let pending = 0;
  let open: Record<string, unknown> | undefined;
  for (const chunk of chunks) {
    chunk.copy(buffer, end);
    end += chunk.length;
    for (;;) {
      if (pending > end - start) {
        break;
      }
      if (open !== undefined) {
        open['value'] = buffer.toString('latin1', start, start + pending);
        open = undefined;
      }
      start += pending;
      pending = 0;
      const consumed = parsePacket(buffer, start, end, request, sasl);
      if (consumed === NEED_MORE) {
        break;
      }
      start += consumed;
      const parsed = describeRequest(request);
      requests.push(parsed);
      if (request.close) {
        return requests;
      }
      pending = request.skip;
      if (request.hasValue) {
        open = parsed;
        pending = request.command.length;
      }
    }
  }
  return requests;
}

function split(buffer: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts.map((cut) => Math.min(cut, buffer.length)).toSorted((a, b) => a - b), buffer.length];
  return edges.slice(1).map((edge, i) => buffer.subarray(edges[i], edge));
}

describe('headers', () => {
  it('readHeader() reads every field', () => {
    const header = new PacketHeader();
    const bytes = packet({ opcode: 0x24, extras: u32s(1), key: 'key', value: 'value', vbucket: 0xfffe, opaque: 0xfedcba98, cas: U64_MAX });
    readHeader(bytes, 0, header);
    expect(header).toMatchObject({
      opcode: 0x24, extrasLength: 4, keyLength: 3, bodyLength: 12, vbucket: 0xfffe, opaque: 0xfedcba98, cas: U64_MAX,
    });
  });

  it('readU64() and writeU64() keep 64 bits exact and canonical', () => {
    const edges = [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, U64_MAX];
    fc.assert(fc.property(fc.oneof(fc.constantFrom(...edges), fc.bigInt(0n, U64_MAX)), (big) => {
      const value: U64 = big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
      const bytes = Buffer.alloc(10, 0xaa);
      writeU64(bytes, 1, value);
      expect(bytes.readBigUInt64BE(1)).toBe(big);
      expect([bytes[0], bytes[9]]).toEqual([0xaa, 0xaa]);
      expect(readU64(bytes, 1)).toBe(value);
    }));
  });
});

describe('parsePacket() reads', () => {
  test.each([
    [Opcode.get, {}], [Opcode.getQ, { quiet: true }],
    [Opcode.getK, { returnsKey: true }], [Opcode.getKQ, { quiet: true, returnsKey: true }],
  ])('get, opcode %i', (opcode, fields) => {
    expect(parse({ opcode, key: 'a key', opaque: 0xffffffff })).toEqual(
      expected({ opcode, op: 'get', keys: ['a key'], opaque: 0xffffffff, ...fields }));
  });

  test.each([
    [Opcode.set, 'set', false], [Opcode.setQ, 'set', true], [Opcode.add, 'add', false],
    [Opcode.addQ, 'add', true], [Opcode.replace, 'replace', false], [Opcode.replaceQ, 'replace', true],
  ])('storage, opcode %i', (opcode, op, quiet) => {
    const parts = { opcode, extras: u32s(0xdeadbeef, 0xffffffff), key: 'k\n\0\xff', value: 'some\r\nvalue' };
    const fields = { opcode, keys: ['k\n\0\xff'], flags: 0xdeadbeef, exptime: 0xffffffff, length: 11, hasValue: true, quiet };
    expect(parse(parts)).toEqual(expected({ ...fields, op }));
    expect(parse({ ...parts, cas: U64_MAX })).toEqual(expected({ ...fields, op: 'cas', cas: U64_MAX, casUnique: U64_MAX }));
    expect(parse({ ...parts, value: '' })).toEqual(expected({ ...fields, op, length: 0 }));
  });

  test.each([
    [Opcode.append, 'append', false], [Opcode.appendQ, 'append', true],
    [Opcode.prepend, 'prepend', false], [Opcode.prependQ, 'prepend', true],
  ])('joining, opcode %i', (opcode, op, quiet) => {
    const fields = { opcode, op, keys: ['k'], length: 5, hasValue: true, quiet };
    expect(parse({ opcode, key: 'k', value: 'value' })).toEqual(expected(fields));
    expect(parse({ opcode, key: 'k', value: 'value', cas: 7 })).toEqual(expected({ ...fields, cas: 7, casUnique: 7 }));
    expect(parse({ opcode, key: 'k' })).toEqual(expected({ ...fields, length: 0 }));
  });

  test.each([[Opcode.delete, false], [Opcode.deleteQ, true]])('delete, opcode %i', (opcode, quiet) => {
    expect(parse({ opcode, key: 'k', cas: 7 })).toEqual(
      expected({ opcode, op: 'delete', keys: ['k'], quiet, cas: 7, casUnique: 7 }));
  });

  test.each([
    [Opcode.increment, 'incr', false], [Opcode.incrementQ, 'incr', true],
    [Opcode.decrement, 'decr', false], [Opcode.decrementQ, 'decr', true],
  ])('arithmetic, opcode %i', (opcode, op, quiet) => {
    const fields = { opcode, op, keys: ['n'], quiet, delta: U64_MAX, initial: 2n ** 53n };
    const parts = { opcode, key: 'n', extras: arithmetic(U64_MAX, 2n ** 53n, 0xfffffffe) };
    expect(parse(parts)).toEqual(expected({ ...fields, exptime: 0xfffffffe, createsMissing: true }));
    expect(parse({ ...parts, extras: arithmetic(U64_MAX, 2n ** 53n, 0xffffffff) })).toEqual(
      expected({ ...fields, exptime: 0xffffffff, createsMissing: false }));
    expect(parse({ ...parts, cas: 3 })).toEqual(
      expected({ ...fields, exptime: 0xfffffffe, createsMissing: true, cas: 3, casUnique: 3 }));
  });

  test.each([
    [Opcode.touch, 'touch', {}], [Opcode.gat, 'gat', {}], [Opcode.gatQ, 'gat', { quiet: true }],
    [Opcode.gatK, 'gat', { returnsKey: true }], [Opcode.gatKQ, 'gat', { quiet: true, returnsKey: true }],
  ])('touching, opcode %i', (opcode, op, fields) => {
    expect(parse({ opcode, key: 'k', extras: u32s(0xffffffff) })).toEqual(
      expected({ opcode, op, keys: ['k'], exptime: 0xffffffff, ...fields }));
  });

  test.each([[Opcode.flush, false], [Opcode.flushQ, true]])('flush, opcode %i', (opcode, quiet) => {
    expect(parse({ opcode })).toEqual(expected({ opcode, op: 'flush_all', exptime: 0, quiet }));
    expect(parse({ opcode, extras: u32s(10) })).toEqual(expected({ opcode, op: 'flush_all', exptime: 10, quiet }));
  });

  test.each([
    [Opcode.noop, 'mn', false], [Opcode.version, 'version', false], [Opcode.quit, 'quit', false], [Opcode.quitQ, 'quit', true],
  ])('what has no body, opcode %i', (opcode, op, quiet) => {
    expect(parse({ opcode, opaque: 5 })).toEqual(expected({ opcode, op, quiet, opaque: 5 }));
  });

  test.each([['', []], ['settings', ['settings']], ['detail dump', ['detail', 'dump']]])('stat, key "%s"', (key, words) => {
    expect(parse({ opcode: Opcode.stat, key })).toEqual(expected({ opcode: Opcode.stat, op: 'stats', statKey: key, words }));
  });

  it('SASL', () => {
    expect(parse({ opcode: Opcode.saslList }, 'required')).toEqual(
      expected({ opcode: Opcode.saslList, op: 'refused', isSasl: true }));
    for (const opcode of [Opcode.saslAuth, Opcode.saslStep]) {
      const key = 'M'.repeat(32);
      expect(parse({ opcode, key, value: '\0user\0pass' }, 'required')).toEqual(
        expected({ opcode, op: 'refused', mechanism: key, length: 10, hasValue: true, isSasl: true }));
    }
  });

  it('a key of 250 bytes', () => {
    expect(parse({ opcode: Opcode.get, key: 'k'.repeat(250) })).toMatchObject({ op: 'get', status: 0 });
  });

  it('a value of as much as a body can hold, without waiting for it', () => {
    const bytes = packet({ opcode: Opcode.append, key: 'k', bodyLength: BODY_MAX });
    const request = new BinaryRequest();
    expect(parsePacket(bytes, 0, bytes.length, request)).toBe(bytes.length);
    expect(request.command.length).toBe(BODY_MAX - 1);
  });

  it('a packet after any other as after none', () => {
    const request = new BinaryRequest();
    for (const parts of [
      { opcode: Opcode.gatKQ, key: 'k', extras: u32s(1) },
      { opcode: Opcode.incrementQ, key: 'k', extras: arithmetic(1, 5, 0), cas: 9 },
      { opcode: Opcode.stat, key: 'items' },
      { opcode: 0x55, value: 'body' },
      { opcode: Opcode.setQ, key: 'k', extras: u32s(1, 2), value: 'v' },
      { magic: 0, opcode: 0 },
    ]) {
      const before = packet(parts);
      parsePacket(before, 0, before.length, request);
      const bytes = packet({ opcode: Opcode.get, key: 'k' });
      expect(parsePacket(bytes, 0, bytes.length, request)).toBe(bytes.length);
      expect(describeRequest(request)).toEqual(expected({ opcode: Opcode.get, op: 'get', keys: ['k'] }));
    }
  });

  it('which op an item is stored by, apart from its cas', () => {
    const request = new BinaryRequest();
    const bytes = packet({ opcode: Opcode.setQ, key: 'k', extras: u32s(0, 0), cas: 1 });
    parsePacket(bytes, 0, bytes.length, request);
    expect([request.command.op, request.unconditionalOp]).toEqual([Op.cas, Op.set]);
  });
});

describe('parsePacket() refuses', () => {
  const long = 'k'.repeat(251);
  const e4 = u32s(0);
  const e8 = u32s(0, 0);
  const e20 = arithmetic(1, 1, 0);
  const quietOf: Partial<Record<keyof typeof Opcode, keyof typeof Opcode>> = {
    get: 'getQ', getK: 'getKQ', set: 'setQ', add: 'addQ', replace: 'replaceQ', append: 'appendQ', prepend: 'prependQ',
    delete: 'deleteQ', increment: 'incrementQ', decrement: 'decrementQ', gat: 'gatQ', gatK: 'gatKQ', flush: 'flushQ', quit: 'quitQ',
  };
  const keyOnly: Omit<Packet, 'opcode'>[] = [
    {}, { extras: e4, key: 'k' }, { key: 'k', value: 'v' }, { value: 'v' }, { key: long },
  ];
  const storing: Omit<Packet, 'opcode'>[] = [
    {}, { key: 'k', value: 'v' }, { extras: e4, key: 'k', value: 'v' }, { extras: u32s(0, 0, 0), key: 'k' },
    { extras: e8, value: 'v' }, { extras: e8, key: long, value: 'v' },
  ];
  const joining: Omit<Packet, 'opcode'>[] = [{}, { value: 'v' }, { extras: e8, key: 'k', value: 'v' }, { key: long }];
  const counting: Omit<Packet, 'opcode'>[] = [
    {}, { key: 'k' }, { extras: e20 }, { extras: e8, key: 'k' }, { extras: e20, key: 'k', value: 'v' }, { extras: e20, key: long },
  ];
  const touching: Omit<Packet, 'opcode'>[] = [
    {}, { key: 'k' }, { extras: e4 }, { extras: e8, key: 'k' }, { extras: e4, key: 'k', value: 'v' }, { extras: e4, key: long },
  ];
  const bare: Omit<Packet, 'opcode'>[] = [{ extras: e8 }, { key: 'k' }, { value: 'v' }, { key: long }];
  const saslParts: Omit<Packet, 'opcode'>[] = [{}, { value: 'v' }, { extras: e4, key: 'PLAIN' }, { key: long }];
  const wrong: [keyof typeof Opcode, Omit<Packet, 'opcode'>[]][] = [
    ['get', keyOnly], ['getK', keyOnly], ['delete', keyOnly], ['set', storing], ['add', storing], ['replace', storing],
    ['append', joining], ['prepend', joining], ['increment', counting], ['decrement', counting],
    ['touch', touching], ['gat', touching], ['gatK', touching], ['flush', bare], ['noop', [...bare, { extras: e4 }]],
    ['version', [...bare, { extras: e4 }]], ['quit', [...bare, { extras: e4 }]],
    ['stat', [{ extras: e4 }, { value: 'v' }, { key: 'items', value: 'v' }, { key: long }]],
    ['saslList', bare], ['saslAuth', saslParts], ['saslStep', saslParts],
  ];

  it('every wrong shape of every opcode, and closes', () => {
    for (const [name, packets] of wrong) {
      const quiet = quietOf[name];
      for (const opcode of quiet === undefined ? [Opcode[name]] : [Opcode[name], Opcode[quiet]]) {
        for (const parts of packets) {
          for (const sasl of ['off', 'done'] as const) {
            expect(parse({ ...parts, opcode, opaque: 3, cas: 4 }, sasl), `${name} ${JSON.stringify(parts)}`).toEqual(
              expected({ opcode, op: 'refused', opaque: 3, cas: 4, status: Status.invalid, close: true }));
          }
        }
      }
    }
    expect(new Set([...wrong.map(([name]) => name), ...Object.values(quietOf)])).toEqual(new Set(Object.keys(Opcode)));
  });

  it('a body shorter than key and extras, whatever the opcode, and closes', () => {
    for (const parts of [
      { opcode: Opcode.get, key: 'key', bodyLength: 2 }, { opcode: Opcode.set, key: 'key', extras: e8, bodyLength: 10 },
      { opcode: Opcode.get, key: long, bodyLength: 0 }, { opcode: 0x55, key: 'key', bodyLength: 2 },
    ]) {
      expect(parse(parts)).toEqual(
        expected({ opcode: parts.opcode, op: 'refused', status: Status.unknownCommand, close: true }));
    }
  });

  it('a body over 1 GB, whatever the opcode, and closes', () => {
    for (const opcode of [Opcode.set, Opcode.get, 0x55]) {
      for (const bodyLength of [BODY_MAX + 1, 0xffffffff]) {
        expect(parse({ opcode, key: 'k', extras: e8, bodyLength })).toEqual(
          expected({ opcode, op: 'refused', status: Status.invalid, close: true }));
      }
    }
  });

  it('a wrong magic at the first byte, silently, and closes', () => {
    const request = new BinaryRequest();
    for (const text of ['g', 'get a\r\n', `\x81${'\0'.repeat(23)}`]) {
      const bytes = Buffer.from(text, 'latin1');
      expect(parsePacket(bytes, 0, bytes.length, request)).toBe(bytes.length);
      expect(describeRequest(request)).toEqual(expected({ opcode: 0, op: 'refused', close: true }));
    }
  });

  it('every unknown opcode, and skips its body', () => {
    const known = new Set<number>(Object.values(Opcode));
    for (let opcode = 0; opcode < 256; opcode++) {
      if (!known.has(opcode)) {
        expect(parse({ opcode, key: 'k', extras: e8, value: 'value' })).toEqual(
          expected({ opcode, op: 'refused', status: Status.unknownCommand, skip: 14 }));
      }
    }
  });

  it('SASL where there is none, and skips its body', () => {
    expect(parse({ opcode: Opcode.saslList })).toMatchObject({ status: Status.unknownCommand, skip: 0, close: false, isSasl: false });
    expect(parse({ opcode: Opcode.saslAuth, key: 'PLAIN', value: 'secret' })).toMatchObject(
      { status: Status.unknownCommand, skip: 11, close: false, hasValue: false, length: 0 });
  });

  it('the name of a mechanism over 32 bytes, and skips its body', () => {
    expect(parse({ opcode: Opcode.saslAuth, key: 'M'.repeat(33), value: 'v' }, 'required')).toMatchObject(
      { status: Status.invalid, skip: 34, close: false, isSasl: false });
  });

  it('a long SASL response, and skips its body', () => {
    expect(parse({ opcode: Opcode.saslStep, key: 'M', value: 'v'.repeat(16385) }, 'required')).toMatchObject(
      { status: Status.outOfMemory, skip: 16386, close: false });
    expect(parse({ opcode: Opcode.saslStep, key: 'M', value: 'v'.repeat(16384) }, 'required')).toMatchObject({ isSasl: true });
  });

  it('all but SASL and version before authentication, and closes', () => {
    for (const parts of [
      { opcode: Opcode.get, key: 'k' }, { opcode: Opcode.noop }, { opcode: Opcode.quitQ }, { opcode: 0x55 },
      { opcode: Opcode.get, key: long }, { opcode: Opcode.set },
    ]) {
      expect(parse(parts, 'required')).toEqual(
        expected({ opcode: parts.opcode, op: 'refused', status: Status.authError, close: true }));
    }
    expect(parse({ opcode: Opcode.get, key: 'key', bodyLength: 1 }, 'required')).toMatchObject({ status: Status.unknownCommand });
    expect(parse({ opcode: Opcode.version }, 'required')).toMatchObject({ op: 'version', status: 0 });
    expect(parse({ opcode: Opcode.version, key: 'k' }, 'required')).toMatchObject({ status: Status.invalid, close: true });
    expect(parse({ opcode: Opcode.get, key: 'k' }, 'done')).toMatchObject({ op: 'get', status: 0 });
  });
});

const key = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 12 });
const value = fc.string({ unit: 'binary-ascii', maxLength: 40 });
const cas = fc.oneof(fc.constant(0), fc.constantFrom<U64>(1, 2 ** 53 - 1, 2n ** 53n, U64_MAX));
const number = fc.oneof(fc.nat(100), fc.constantFrom(0xffffffff, 0x80000000));
const opaque = fc.nat(0xffffffff);
const opcodes = fc.constantFrom<number>(...Object.values(Opcode), 0x1b, 0x30, 0xff);
const wellFormed = fc.oneof(
  fc.record({ opcode: fc.constantFrom(Opcode.get, Opcode.getKQ, Opcode.delete, Opcode.stat), key, opaque, cas }),
  fc.record({ opcode: fc.constantFrom(Opcode.set, Opcode.addQ, Opcode.replace), extras: fc.tuple(number, number).map((n) => u32s(...n)), key, value, opaque, cas }),
  fc.record({ opcode: fc.constantFrom(Opcode.appendQ, Opcode.prepend, Opcode.saslAuth), key, value, opaque, cas }),
  fc.record({ opcode: fc.constantFrom(Opcode.increment, Opcode.decrementQ), extras: fc.tuple(cas, cas, number).map((n) => arithmetic(...n)), key, opaque, cas }),
  fc.record({ opcode: fc.constantFrom(Opcode.touch, Opcode.gatQ, Opcode.gatK), extras: number.map((n) => u32s(n)), key, opaque }),
  fc.record({ opcode: fc.constantFrom(Opcode.noop, Opcode.version, Opcode.quitQ, Opcode.flush), opaque }),
  fc.record({ opcode: fc.constantFrom(0x1b, 0x30), extras: fc.constant(u32s(1)), key, value, opaque }),
);
const anyPacket = fc.oneof(
  { weight: 9, arbitrary: wellFormed },
  { weight: 1, arbitrary: fc.record({ opcode: opcodes, extras: number.map((n) => u32s(n)), key, value, opaque, cas }) },
);
const stream = fc.array(anyPacket, { minLength: 1, maxLength: 10 }).map((packets) => Buffer.concat(packets.map(packet)));
const sasl = fc.constantFrom<SaslState>('off', 'done', 'done', 'required');

test('any split of any packets gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, fc.array(fc.nat(700), { maxLength: 20 }), sasl, (stream, cuts, sasl) => {
    expect(parseChunks(split(stream, cuts), sasl)).toEqual(parseChunks([stream], sasl));
  }), { numRuns: 500 });
});

test('byte by byte gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, sasl, (stream, sasl) => {
    expect(parseChunks(Array.from(stream, (byte) => Buffer.of(byte)), sasl)).toEqual(parseChunks([stream], sasl));
  }), { numRuns: 200 });
});

test('well-formed packets all arrive, with their values', () => {
  fc.assert(fc.property(fc.array(wellFormed, { maxLength: 10 }), (packets) => {
    const requests = parseChunks([Buffer.concat(packets.map(packet))], 'done');
    expect(requests.map(({ opcode, opaque }) => ({ opcode, opaque }))).toEqual(packets.map(({ opcode, opaque }) => ({ opcode, opaque })));
    for (const [i, { value, key }] of packets.map((parts): Packet => parts).entries()) {
      const request = requests[i] ?? {};
      if (request['status'] === Status.ok) {
        expect(request['value'] ?? '').toBe(value ?? '');
        expect([request['statKey'], request['mechanism'], request['keys']].flat().filter((text) => text !== '')).toEqual(
          key === undefined ? [] : [key]);
      }
    }
  }), { numRuns: 300 });
});

test('any bytes are consumed or waited for, never past the end', () => {
  const piece = fc.oneof(
    anyPacket.map(packet),
    fc.tuple(opcodes, fc.uint8Array({ minLength: 10, maxLength: 40 })).map(([opcode, rest]) => Buffer.from([Magic.request, opcode, 0, ...rest])),
    fc.uint8Array({ maxLength: 30 }).map((garbage) => Buffer.from(garbage)),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(8), fc.nat(40), sasl, (pieces, before, hidden, sasl) => {
    const buffer = Buffer.concat([Buffer.alloc(before), ...pieces]);
    const limit = Math.max(before, buffer.length - hidden);
    const request = new BinaryRequest();
    let start = before;
    while (start < limit) {
      const consumed = parsePacket(buffer, start, limit, request, sasl);
      if (consumed === NEED_MORE) {
        // Bounded: a header, the longest extras and the longest key.
        expect(limit - start).toBeLessThan(HEADER_LENGTH + 20 + 250);
        break;
      }
      expect(consumed).toBeGreaterThan(0);
      expect(start + consumed).toBeLessThanOrEqual(limit);
      const { command } = request;
      for (let i = 0; i < command.keyCount; i++) {
        expect(command.keyStarts[i]).toBeGreaterThanOrEqual(start + HEADER_LENGTH);
        expect(command.keyEnds[i]).toBeGreaterThan(command.keyStarts[i] ?? 0);
        expect(command.keyEnds[i]).toBe(start + consumed);
      }
      expect(request.skip).toBeLessThanOrEqual(BODY_MAX);
      // Whatever was announced, the next packet is looked for right here.
      start += consumed;
    }
    peekPacketKeys(buffer, before, limit, 10, (start, end) => {
      expect(before < start && start < end && end <= limit).toBe(true);
    });
  }), { numRuns: 1000 });
});

describe('peekPacketKeys()', () => {
  function peek(buffer: Buffer, end = buffer.length, limit = 10): string[] {
    const keys: string[] = [];
    peekPacketKeys(buffer, 0, end, limit, (start, end, op) => keys.push(`${opNames.get(op)} ${buffer.toString('latin1', start, end)}`));
    return keys;
  }
  const get = packet({ opcode: Opcode.getKQ, key: 'a' });
  const set = packet({ opcode: Opcode.set, key: 'b', extras: u32s(0, 0), value: 'value' });
  const noop = packet({ opcode: Opcode.noop });
  const stat = packet({ opcode: Opcode.stat, key: 'items' });

  it('reports the keys of complete packets', () => {
    expect(peek(Buffer.concat([get, set, noop, stat, get]))).toEqual(['get a', 'set b', 'get a']);
  });

  it('leaves out what is incomplete, its value included', () => {
    expect(peek(Buffer.concat([get, set]), get.length + set.length - 1)).toEqual(['get a']);
    expect(peek(Buffer.concat([get, get]), get.length * 2 - 1)).toEqual(['get a']);
  });

  it('stops at its limit, at quit and at what is refused', () => {
    expect(peek(Buffer.concat([get, get, get]), undefined, 2)).toHaveLength(2);
    for (const stop of [packet({ opcode: Opcode.quitQ }), packet({ opcode: 0x55 }), packet({ opcode: Opcode.saslList }), Buffer.from('get')]) {
      expect(peek(Buffer.concat([get, stop, get]))).toEqual(['get a']);
    }
  });
});
