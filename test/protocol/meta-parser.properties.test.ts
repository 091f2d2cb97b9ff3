import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Command, MetaFields, Op } from '../../src/cache/command.ts';
import { type MetaCode, metaReply } from '../../src/protocol/meta-replies.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { NEED_MORE, parseLine, peekKeys } from '../../src/protocol/text-parser.ts';
import { bytes, describeCommand, parseChunks, split } from './parsed.ts';

const key = fc.oneof(fc.stringMatching(/^[!-~]{1,12}$/), fc.constantFrom('YWFh', 'AA==', 'k'.repeat(251)));
const token = fc.oneof(
  fc.constant(''),
  fc.integer({ min: -9, max: 99 }).map(String),
  fc.constantFrom('x', 'S', 'I', '18446744073709551615', '2147483648', 'o'.repeat(32)),
);
const flag = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(fc.constantFrom(...'bcfhklqstuvxICDEFJLMNOPRT'.split('')), token).map((pair) => pair.join('')) },
  { weight: 1, arbitrary: fc.constantFrom('z', '!', '1', '\xff', '\r', 'noreply') },
);
const flags = fc.array(flag, { maxLength: 8 });
const end = fc.constantFrom('\r\n', '\n', ' \r\n');
const data = fc.string({ maxLength: 30 }).map((text) => bytes(text).toString('latin1'));

const store = fc
  .tuple(key, flags, end, data, fc.constantFrom('', '', '', 'x', '-'))
  .map(([key, flags, end, data, bad]) => `${['ms', key, `${bad}${data.length}`, ...flags].join(' ')}${end}${data}\r\n`);
const other = fc
  .tuple(fc.constantFrom('mg', 'md', 'ma', 'me', 'mn', 'get'), key, flags, end)
  .map(([op, key, flags, end]) => `${[op, key, ...flags].join(' ')}${end}`);
const stream = fc.array(fc.oneof(store, other), { minLength: 1, maxLength: 10 }).map((commands) => bytes(commands.join('')));

test('any split of any meta commands gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, fc.array(fc.nat(600), { maxLength: 20 }), (stream, cuts) => {
    expect(parseChunks(split(stream, cuts))).toEqual(parseChunks([stream]));
  }), { numRuns: 500 });
});

test('byte by byte gives the same requests as one chunk', () => {
  fc.assert(fc.property(stream, (stream) => {
    expect(parseChunks(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(parseChunks([stream]));
  }), { numRuns: 200 });
});

test('any soup of flags is taken or refused in one piece, and can be answered in one line', () => {
  const soup = fc.oneof(flag, fc.uint8Array({ maxLength: 6 }).map((garbage) => Buffer.from(garbage).toString('latin1')));
  const fields = new MetaFields();
  Object.assign(fields, { size: 1, cas: 2 ** 53 - 1, clientFlags: 3, ttl: -1, lastAccess: 4, fetched: true, won: true });
  const ops = fc.constantFrom('mg ', 'ms ', 'md ', 'ma ', 'me ', 'ms k 3 ');
  const codes = fc.constantFrom<MetaCode[]>('HD', 'VA', 'EN', 'NF', 'NS', 'EX');
  fc.assert(fc.property(ops, fc.array(soup, { maxLength: 25 }), codes, (op, words, code) => {
    const buffer = bytes(`${op}${words.join(' ')}\n`);
    const command = new Command();
    const consumed = parseLine(buffer, 0, buffer.length, 0, command);
    expect(consumed).toBe(buffer.indexOf('\n') + 1);
    if (command.op === Op.refused) {
      expect(command.refusal).toMatch(/^CLIENT_ERROR /);
      expect([0, 5]).toContain(op === 'ms k 3 ' ? command.skip : 0);
    } else {
      expect(command.keyCount).toBe(1);
      const key = command.buffer.subarray(command.keyStarts[0], command.keyEnds[0]);
      expect(key.length > 0 && key.length <= 250).toBe(true);
      expect(command.noreply).toBe(false);
      const out = new ReplyBuffer();
      metaReply(out, code, command.meta, fields);
      const reply = out.bytes.toString('latin1', 0, out.length);
      expect(reply.startsWith(code)).toBe(true);
      expect(reply.indexOf('\n')).toBe(reply.length - 1);
    }
    describeCommand(command);
    peekKeys(buffer, 0, buffer.length, 9, (start, end) => expect(0 < start && start < end && end < buffer.length).toBe(true));
    expect(parseLine(buffer, 0, consumed - 1, 0, command)).toBe(NEED_MORE);
  }), { numRuns: 2000 });
});
