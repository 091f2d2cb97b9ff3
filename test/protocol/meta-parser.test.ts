import { describe, expect, it, test } from 'vitest';
import { Command, MetaFlags, Op } from '../../src/cache/command.ts';
import { parseLine, peekKeys } from '../../src/protocol/text-parser.ts';
import { bytes, type Parsed, parseText, refusalOf } from './parsed.ts';

const BAD_FORMAT = 'CLIENT_ERROR bad command line format';
const BAD_TOKEN = 'CLIENT_ERROR bad token in command line format';
const INVALID = 'CLIENT_ERROR invalid flag';
const DUPLICATE = 'CLIENT_ERROR duplicate flag';
const ANY_FAULT_OF_MA = 'CLIENT_ERROR invalid or duplicate flag';
const KEY_250 = 'k'.repeat(250);
const LONG_KEY = 'k'.repeat(251);
const U64_MAX = 2n ** 64n - 1n;

/** The flags that make a difference to a command without any. */
function flagsOf(line: string): Parsed {
  const parsed = parseText(`${line}\r\n`)['meta'] as Parsed;
  const plain = new Map<string, unknown>(Object.entries(new MetaFlags()));
  return Object.fromEntries(Object.entries(parsed).filter(([name, value]) => value !== plain.get(name)));
}

function refused(refusal: string, skip = 0): object {
  return { op: 'refused', refusal, skip, close: false };
}

describe('a meta command', () => {
  test.each([
    ['mg a\r\n', 'mg', 'a'], ['mg  a  \n', 'mg', 'a'], ['md a\xff\t\r\n', 'md', 'a\xff\t'], ['ma a\r\n', 'ma', 'a'],
    ['me a\r\n', 'me', 'a'], [`mg ${KEY_250}\r\n`, 'mg', KEY_250], ['mg noreply\r\n', 'mg', 'noreply'],
  ])('%j has one key', (line, op, key) => {
    expect(parseText(line)).toMatchObject({ op, noreply: false, keys: [key] });
  });
  test.each(['mg', 'ms', 'md', 'ma', 'me', 'ms a', 'ms a ', 'mg  '])('%s lacks a word', (line) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(BAD_FORMAT));
  });
  test.each(['mg', 'md', 'me'])('%s refuses a key above 250 bytes', (op) => {
    expect(parseText(`${op} ${LONG_KEY}\r\n`)).toEqual(refused(BAD_FORMAT));
    expect(parseText(`${op} ${LONG_KEY} q\r\n`)).toEqual(refused(BAD_FORMAT));
  });
  test.each(['mg a', 'ms a 2', 'md a', 'ma a'])('%s knows no noreply', (line) => {
    // It begins with n, which is no flag.
    expect(refusalOf(`${line} noreply\r\n`)).toBe(line.startsWith('ma') ? ANY_FAULT_OF_MA : INVALID);
  });
  it('forgets the flags of the one before', () => {
    const command = new Command();
    const plain = Object.entries(new MetaFlags());
    for (const line of ['ms YQ== 2 b k c q T5 N6 R7 I x v u C1 E2 F3 J4 D5 MA Ox\r\n', 'mg a\r\n']) {
      const buffer = bytes(line);
      parseLine(buffer, 0, buffer.length, 0, command);
    }
    expect(Object.entries(command.meta)).toEqual(plain);
  });
});

describe('flags', () => {
  test.each<[string, Parsed]>([
    ['mg a v', { value: true }],
    ['mg a vx', { value: true }],
    ['mg a u', { noBump: true }],
    ['mg a q', { quiet: true }],
    ['mg a x', { clearValue: true }],
    ['mg a I', { invalidate: true }],
    ['mg a C0', { compareCas: 0 }],
    ['mg a C18446744073709551615', { compareCas: U64_MAX }],
    ['mg a E18446744073709551615', { newCas: U64_MAX }],
    ['mg a E0', {}],
    ['mg a F4294967295', { clientFlags: 4294967295 }],
    ['mg a T-1', { ttl: -1, ttlSteps: 'T' }],
    ['mg a T-', { ttl: 0, ttlSteps: 'T' }],
    ['mg a N2147483647', { vivify: 2147483647, ttlSteps: 'N' }],
    ['mg a R-2147483648', { recache: -2147483648, ttlSteps: 'R' }],
    ['mg a J5', { initial: 5 }],
    ['mg a D0', { delta: 0 }],
    ['mg a D18446744073709551615', { delta: U64_MAX }],
    ['mg a L P', {}],
    ['mg a Lpath/ P!', {}],
    ['mg a M', {}],
    ['md a MZ', {}],
    ['mg a O', { returns: 'O' }],
    ['mg a O123', { returns: 'O', opaque: '123' }],
    [`mg a O${'o'.repeat(31)}`, { returns: 'O', opaque: 'o'.repeat(31) }],
    ['mg a O\xe9\t!', { returns: 'O', opaque: '\xe9\t!' }],
    ['mg a k', { returns: 'k', sentKey: 'a' }],
    ['mg a\xe9 k', { returns: 'k', sentKey: 'a\xe9' }],
    ['ma a', { mode: 'incr' }],
    ['ma a MI', { mode: 'incr' }],
    ['ma a M+', { mode: 'incr' }],
    ['ma a MD', { mode: 'decr' }],
    ['ma a M-', { mode: 'decr' }],
    ['ma a MDx', { mode: 'decr' }],
    ['ms a 0', {}],
    ['ms a 0 MS', {}],
    ['ms a 0 ME', { mode: 'add' }],
    ['ms a 0 MR', { mode: 'replace' }],
    ['ms a 0 MA', { mode: 'append' }],
    ['ms a 0 MPx', { mode: 'prepend' }],
  ])('%s', (line, flags) => {
    expect(flagsOf(line)).toEqual(flags);
  });
  test.each([
    ['mg a', 'sctfhlOk'], ['md a', 'Ok'], ['ma a', 'ctOk'], ['ms a 0', 'scOk'],
  ])('%s returns some, in the order of the request', (line, returned) => {
    expect(flagsOf(`${line} s c t f h l O k v q u x I`)).toMatchObject({ returns: returned, quiet: true });
  });
  it('keeps the order of what acts on the time to live', () => {
    expect(flagsOf('mg a R1 t T2 s N3')).toMatchObject({ returns: 'ts', ttlSteps: 'RtTN' });
  });
});

describe('refused flags', () => {
  const digits = (count: number): string => '0'.repeat(count - 1) + '1';
  test.each([
    // letters
    ['mg foo m o o o', INVALID], ['mg a S', INVALID], ['mg a a', INVALID], ['mg a 1', INVALID], ['mg a [', INVALID],
    ['mg a _', INVALID], ['mg a s s', DUPLICATE], ['mg a T1 T1', DUPLICATE], ['mg a Pa Pb', DUPLICATE],
    ['mg a !', BAD_FORMAT], ['mg a -1', BAD_FORMAT], ['mg a {', BAD_FORMAT], ['mg a \x7f', BAD_FORMAT],
    ['mg a \xe9', BAD_FORMAT], ['mg a \t', BAD_FORMAT], ['mg a \r v', BAD_FORMAT],
    // tokens
    ['mg a C', BAD_TOKEN], ['mg a Cx', BAD_TOKEN], ['mg a C-1', BAD_TOKEN], ['mg a C18446744073709551616', BAD_TOKEN],
    [`mg a C${digits(23)}`, BAD_TOKEN], ['mg a E', BAD_TOKEN], ['mg a E+1', BAD_TOKEN],
    ['mg a N', BAD_TOKEN], ['mg a R1x', BAD_TOKEN], ['mg a T', BAD_TOKEN], ['mg a T2147483648', BAD_TOKEN],
    ['mg a T-2147483649', BAD_TOKEN], [`mg a T${digits(12)}`, BAD_TOKEN],
    ['mg a F', BAD_FORMAT], ['mg a F-1', BAD_FORMAT], ['mg a F4294967296', BAD_FORMAT],
    ['mg a D', 'CLIENT_ERROR invalid numeric delta value'], ['md a D-1', 'CLIENT_ERROR invalid numeric delta value'],
    ['mg a Jx', 'CLIENT_ERROR invalid numeric initial value'],
    [`mg a O${'o'.repeat(32)}`, 'CLIENT_ERROR opaque token too long'],
    [`ma a O${'o'.repeat(32)}`, 'CLIENT_ERROR opaque token too long'],
    // several: the last one, unless one ends the search
    ['mg a Cx Jx', 'CLIENT_ERROR invalid numeric initial value'], ['mg a Jx Cx', BAD_TOKEN], ['mg a Cx Fx', BAD_TOKEN],
    ['mg a Fx Cx', BAD_TOKEN], ['mg a Cx z', INVALID], ['mg a Cx v v', DUPLICATE], ['mg a z v v', INVALID],
    ['mg a z !', BAD_FORMAT], [`mg a O${'o'.repeat(32)} Tx`, BAD_TOKEN],
    // keys
    ['mg a b', 'CLIENT_ERROR error decoding key'], ['mg ==== b', 'CLIENT_ERROR error decoding key'],
    ['mg a b Tx', BAD_TOKEN], ['mg a Tx b', 'CLIENT_ERROR error decoding key'],
    // ma speaks of all of them alike
    ['ma a z', ANY_FAULT_OF_MA], ['ma a q q', ANY_FAULT_OF_MA], ['ma a Dx', ANY_FAULT_OF_MA], ['ma a b', ANY_FAULT_OF_MA],
    ['ma a F', ANY_FAULT_OF_MA], [`ma ${LONG_KEY}`, ANY_FAULT_OF_MA], [`ma a${' L'.repeat(19)}`, ANY_FAULT_OF_MA],
    ['ma a !', BAD_FORMAT], ['ma', BAD_FORMAT],
    ['ma a M', 'CLIENT_ERROR invalid mode for ma M token'], ['ma a Mi', 'CLIENT_ERROR invalid mode for ma M token'],
    ['ma a ME q', 'CLIENT_ERROR invalid mode for ma M token'], ['ma a Mx z', ANY_FAULT_OF_MA],
  ])('%s', (line, refusal) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(refusal));
  });
  it('refuses more than 20 words, whatever they are', () => {
    const flags = ' b c f h k l q s t u v x I L M O P J1'.split(' ').slice(1);
    expect(flags).toHaveLength(18);
    expect(parseText(`mg YWFh ${flags.join(' ')}\r\n`)).toMatchObject({ op: 'mg', keys: ['aaa'] });
    expect(refusalOf(`mg YWFh ${flags.join(' ')} N1\r\n`)).toBe('CLIENT_ERROR options flags are too long');
    expect(refusalOf(`mg YWFh ${'z '.repeat(500)}\r\n`)).toBe('CLIENT_ERROR options flags are too long');
    expect(refusalOf(`mg ${LONG_KEY} ${'z '.repeat(500)}\r\n`)).toBe(BAD_FORMAT);
    expect(refusalOf(`mg a ${'z '.repeat(20)} !\r\n`)).toBe(BAD_FORMAT);
    expect(refusalOf(`mg a ${'z '.repeat(21)} !\r\n`)).toBe('CLIENT_ERROR options flags are too long');
  });
});

describe('ms', () => {
  it('announces a data block', () => {
    expect(parseText('ms a 5 F7 T9\r\n')).toMatchObject({ op: 'ms', keys: ['a'], length: 5, flags: 7, exptime: 9 });
    expect(parseText('ms a 0\r\n')).toMatchObject({ length: 0, flags: 0, exptime: 0 });
    expect(parseText('ms a 2147483645\r\n')).toMatchObject({ length: 2147483645 });
  });
  test.each(['x', '-1', '+1', '2147483646', '2147483648', 'S2', '1x', 'T2', '000000000001'])(
    'skips nothing when its length is %s', (length) => {
      expect(parseText(`ms a ${length} v v\r\n`)).toEqual(refused(BAD_FORMAT));
    });
  test.each([
    ['ms a 5 z', INVALID], ['ms a 5 q z', INVALID], ['ms a 5 s s', DUPLICATE], ['ms a 5 T', BAD_TOKEN],
    ['ms a 5 F', BAD_FORMAT], ['ms a 5 !', BAD_FORMAT], [`ms ${LONG_KEY} 5`, BAD_FORMAT],
    ['ms a 5 b', 'CLIENT_ERROR error decoding key'], [`ms a 5${' L'.repeat(18)}`, 'CLIENT_ERROR options flags are too long'],
    [`ms a 5 O${'o'.repeat(32)}`, 'CLIENT_ERROR opaque token too long'],
    ['ms a 5 MZ', 'CLIENT_ERROR invalid mode for ms M token'], ['ms a 5 M', 'CLIENT_ERROR invalid mode for ms M token'],
    ['ms a 5 Me', 'CLIENT_ERROR invalid mode for ms M token'], ['ms a 5 MI', 'CLIENT_ERROR invalid mode for ms M token'],
    ['ms a 5 MZ Tx', BAD_TOKEN], [`ms a 5 MZ O${'o'.repeat(32)}`, 'CLIENT_ERROR invalid mode for ms M token'],
  ])('skips its data block after %s', (line, refusal) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(refusal, 7));
  });
});

describe('b', () => {
  test.each(['mg', 'md', 'ma', 'me'])('decodes the key of %s', (op) => {
    expect(parseText(`${op} 44OG44K544OI b\r\n`)).toMatchObject({ op, keys: [Buffer.from('テスト').toString('latin1')] });
  });
  it('puts the decoded key into a buffer of its own', () => {
    const buffer = bytes('ms AAogIA== 2 k b\r\n');
    const command = new Command();
    parseLine(buffer, 0, buffer.length, 0, command);
    expect(command.buffer).not.toBe(buffer);
    expect(command.buffer.subarray(command.keyStarts[0], command.keyEnds[0])).toEqual(bytes('\0\n  '));
    expect(command.meta).toMatchObject({ base64: true, sentKey: 'AAogIA==', returns: 'k' });
    expect(buffer).toEqual(bytes('ms AAogIA== 2 k b\r\n'));
  });
  it('shows an odd encoding as it should be', () => {
    expect(flagsOf('mg A!A-og_IB==zzzz b k')).toMatchObject({ sentKey: 'AAogIA==' });
  });
  it('finds the mode among the words that it leaves', () => {
    expect(flagsOf('ms YWFh 2 b MA')).toMatchObject({ mode: 'append', base64: true });
    expect(flagsOf('ma YWFh MD b')).toMatchObject({ mode: 'decr', base64: true });
  });
  it('counts the key as it was sent', () => {
    expect(parseText(`mg ${'AAAA'.repeat(62)} b\r\n`)['keys']).toEqual(['\0'.repeat(186)]);
    expect(refusalOf(`mg ${'AAAA'.repeat(63)} b\r\n`)).toBe(BAD_FORMAT);
  });
});

describe('me', () => {
  it('shows its key, and overlooks all words but b', () => {
    expect(flagsOf('me a')).toEqual({ sentKey: 'a' });
    expect(flagsOf('me a zz zz T q k')).toEqual({ sentKey: 'a' });
    expect(parseText('me YWFh b\r\n')).toMatchObject({ keys: ['aaa'], meta: { sentKey: 'YWFh', base64: true } });
    expect(parseText('me YWFh v b\r\n')).toMatchObject({ keys: ['aaa'] });
    expect(parseText(`me a${' z'.repeat(40)}\r\n`)).toMatchObject({ op: 'me', keys: ['a'] });
  });
  it('refuses what is no word of a meta command, and no base64', () => {
    expect(refusalOf('me a !\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('me a b\r\n')).toBe(BAD_FORMAT);
  });
});

describe('peekKeys()', () => {
  it('reports keys of meta commands, but none in base64', () => {
    const buffer = bytes('mg a v\r\nms b 4\r\nmg \n\r\nmd c\r\nmg YWFh b\r\nma d\r\nmn\r\nme e\r\nmg f z\r\nmg g\r\n');
    const keys: [string, Op][] = [];
    peekKeys(buffer, 0, buffer.length, 9, (start, end, op) => keys.push([buffer.toString('latin1', start, end), op]));
    expect(keys).toEqual([['a', Op.mg], ['b', Op.ms], ['c', Op.md], ['d', Op.ma], ['e', Op.me]]);
  });
});
