import { describe, expect, it, test } from 'vitest';
import { Command, MetaFields, Op } from '../../src/cache/command.ts';
import { isHiddenByQuiet, type MetaCode, metaDebugLine, metaReply } from '../../src/protocol/meta-replies.ts';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.ts';
import { parseLine } from '../../src/protocol/text-parser.ts';
import { bytes } from './parsed.ts';

type Known = Partial<Omit<MetaFields, 'reset'>>;

const hit: Known = { size: 5, cas: 7, clientFlags: 4294967295, ttl: 30, lastAccess: 0, fetched: false };

function parse(line: string): Command {
  const command = new Command();
  const buffer = bytes(`${line}\r\n`);
  parseLine(buffer, 0, buffer.length, 0, command);
  expect(command.refusal).toBe('');
  return command;
}

function text(fill: (out: ReplyBuffer) => void): string {
  const out = new ReplyBuffer();
  fill(out);
  return out.bytes.toString('latin1', 0, out.length);
}

function reply(line: string, code: MetaCode, known: Known = {}, length?: number): string {
  const fields = Object.assign(new MetaFields(), known);
  return text((out) => metaReply(out, code, parse(line).meta, fields, length));
}

describe('metaReply()', () => {
  test.each<[string, MetaCode, Known, string]>([
    ['mg a', 'HD', hit, 'HD'],
    ['mg a v', 'VA', hit, 'VA 5'],
    ['mg a s v', 'VA', hit, 'VA 5 s5'],
    ['mg a t c f h l s k Ox', 'HD', hit, 'HD t30 c7 f4294967295 h0 l0 s5 ka Ox'],
    ['mg a Ox k s l h f c t', 'HD', hit, 'HD Ox ka s5 l0 h0 f4294967295 c7 t30'],
    ['mg a O', 'HD', hit, 'HD O'],
    ['mg a t h', 'HD', { ttl: -1, fetched: true }, 'HD t-1 h1'],
    ['mg a t', 'HD', { ttl: 0 }, 'HD t0'],
    ['mg a c', 'HD', { cas: 2n ** 64n - 1n }, 'HD c18446744073709551615'],
    ['mg a s c t f h l', 'EN', {}, 'EN'],
    ['mg a s k c Ox', 'EN', {}, 'EN ka Ox'],
    ['mg YWFh b s k Ox', 'EN', {}, 'EN kYWFh b Ox'],
    ['mg YWFh k t b', 'HD', hit, 'HD kYWFh b t30'],
    ['mg YWFh b', 'HD', hit, 'HD'],
    ['mg aaa k', 'HD', { base64Key: true }, 'HD kYWFh b'],
    ['mg YWFh k b', 'HD', { base64Key: true }, 'HD kYWFh b'],
    ['mg aaa', 'HD', { base64Key: true }, 'HD'],
    ['mg a s N30', 'HD', { size: 0, won: true }, 'HD s0 W'],
    ['mg a k', 'HD', { winSent: true }, 'HD ka Z'],
    ['mg a', 'HD', { winSent: true, stale: true }, 'HD Z X'],
    ['mg a', 'HD', { won: true, stale: true }, 'HD X W'],
    ['ms a 5 c s k Ox', 'HD', { cas: 9, size: 5 }, 'HD c9 s5 ka Ox'],
    ['ms a 5 c s', 'EX', { cas: 0, size: 5 }, 'EX c0 s5'],
    ['ms a 5 k', 'NS', {}, 'NS ka'],
    ['ms YWFh 5 b k', 'NF', {}, 'NF kYWFh b'],
    ['md a k Ox', 'NF', {}, 'NF ka Ox'],
    ['md a Ox t', 'EX', hit, 'EX Ox'],
    ['ma a v t c', 'VA', { ttl: 300, cas: 3 }, 'VA 5 t300 c3'],
    ['ma a t c k', 'NF', {}, 'NF ka'],
  ])('answers %s with %s', (line, code, known, answer) => {
    expect(reply(line, code, known, 5)).toBe(`${answer}\r\n`);
  });
  it('writes an empty value', () => {
    expect(reply('mg a v', 'VA', { size: 0 })).toBe('VA 0\r\n');
  });
});

describe('metaDebugLine()', () => {
  const line = (request: string, known: Known): string =>
    text((out) => metaDebugLine(out, parse(request).meta, Object.assign(new MetaFields(), known), 66));
  it('shows all that is known', () => {
    expect(line('me foo', { ttl: -1, lastAccess: 12, cas: 2, fetched: false }))
      .toBe('ME foo exp=-1 la=12 cas=2 fetch=no cls=1 size=66\r\n');
    expect(line('me foo', { ttl: 90, lastAccess: 0, cas: 2n ** 63n, fetched: true }))
      .toBe('ME foo exp=90 la=0 cas=9223372036854775808 fetch=yes cls=1 size=66\r\n');
  });
  it('shows a key in base64 that was sent so or made so', () => {
    expect(line('me YWFh b', {})).toMatch(/^ME YWFh exp=/);
    expect(line('me aaa', { base64Key: true })).toMatch(/^ME YWFh exp=/);
  });
});

test('isHiddenByQuiet() hides what is usual for each command', () => {
  const codes: readonly MetaCode[] = ['HD', 'VA', 'EN', 'NF', 'NS', 'EX'];
  const hidden = (op: Op): readonly MetaCode[] => codes.filter((code) => isHiddenByQuiet(op, code));
  expect(hidden(Op.mg)).toEqual(['EN']);
  expect(hidden(Op.ms)).toEqual(['HD']);
  expect(hidden(Op.md)).toEqual(['HD']);
  expect(hidden(Op.ma)).toEqual(['HD', 'VA']);
  expect(hidden(Op.me)).toEqual([]);
});

test('MetaFields.reset() forgets everything', () => {
  const fields = Object.assign(new MetaFields(), hit, { won: true, stale: true, winSent: true, base64Key: true });
  fields.reset();
  expect(Object.entries(fields)).toEqual(Object.entries(new MetaFields()));
});
