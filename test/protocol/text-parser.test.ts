import { describe, expect, it, test } from 'vitest';
import { Command, Op } from '../../src/cache/command.ts';
import { CONTROL_LINE_MAX, GET_LINE_MAX, LINE_MAX } from '../../src/protocol/limits.ts';
import { NEED_MORE, parseLine, peekKeys } from '../../src/protocol/text-parser.ts';
import { bytes, describeCommand, parseText, refusalOf } from './parsed.ts';

const BAD_FORMAT = 'CLIENT_ERROR bad command line format';
const LONG_KEY = 'k'.repeat(251);
const KEY_250 = 'k'.repeat(250);

function refused(refusal: string, skip = 0, close = false): object {
  return { op: 'refused', refusal, skip, close };
}

describe('lines', () => {
  test.each(['get a\n', 'get a\r\n', 'get   a  \r\n', 'get a \n'])('%j asks for the key a', (line) => {
    expect(parseText(line)).toEqual({ op: 'get', noreply: false, keys: ['a'] });
  });
  it('keeps all but one CR, tabs, NULs and bytes above 0x7f in words', () => {
    expect(parseText('get a\r\r\n')['keys']).toEqual(['a\r']);
    expect(parseText('get a\r b\t\0\xff\r\n')['keys']).toEqual(['a\r', 'b\t\0\xff']);
    expect(parseText('get a\r \r\n')['keys']).toEqual(['a\r']);
  });
  test.each(['\n', '\r\n', 'a\n', 'a\r\n', ' \r\n', 'ab\n', 'a \n', 'mn\n'])('%j is too short', (line) => {
    expect(parseText(line)).toEqual(refused(BAD_FORMAT));
  });
  test.each(['ab\r\n', 'abc\n', '    \n', ' get a\r\n', 'GET a\r\n', 'getx a\r\n', 'ge a\r\n', 'get\ta\r\n'])(
    '%j is no command', (line) => {
      expect(parseText(line)).toEqual(refused('ERROR'));
    });
  test.each([
    'mx a', 'mga a', 'm a', 'shutdown_now', 'slab automove 1', 'lru_ mode flat', 'watcher', 'extstore', 'debugtime 1', 'misbehave',
  ])('%s is not supported', (line) => {
    expect(refusalOf(`${line}\r\n`)).toBe('ERROR');
  });
  it('says nothing to an unknown command that ends with noreply', () => {
    expect(parseText('foo bar noreply\r\n')).toEqual(refused(''));
    expect(parseText('noreply\r\n')).toEqual(refused(''));
    expect(refusalOf('foo noreply bar\r\n')).toBe('ERROR');
  });
  it('closes when an unknown line looks like HTTP', () => {
    expect(parseText('GET / HTTP/1.1\r\n')).toEqual(refused('', 0, true));
    expect(refusalOf('HTTP/1.1\r\n')).toBe('ERROR');
    expect(refusalOf('GET HTTP/1.1 x\r\n')).toBe('ERROR');
    expect(parseText('get / HTTP/1.1\r\n')['keys']).toEqual(['/', 'HTTP/1.1']);
  });
  it('takes no byte at or after end into account', () => {
    const buffer = bytes('xxget a\r\nget b\r\n');
    const command = new Command();
    for (let end = 2; end < 9; end++) {
      expect(parseLine(buffer, 2, end, 2, command)).toBe(NEED_MORE);
    }
    expect(parseLine(buffer, 2, 9, 2, command)).toBe(7);
    expect(parseLine(buffer, 2, buffer.length, 2, command)).toBe(7);
    expect([command.keyStarts[0], command.keyEnds[0]]).toEqual([6, 7]);
    expect(command.buffer).toBe(buffer);
  });
});

describe('long lines', () => {
  const cases: [string, number][] = [
    ['set ', LINE_MAX], ['gat 1 ', LINE_MAX], [' get ', LINE_MAX], ['expired ', LINE_MAX],
    ['get ', GET_LINE_MAX], ['gets ', GET_LINE_MAX], ['expire ', CONTROL_LINE_MAX],
  ];
  test.each(cases)('%j: more than %d bytes without LF close', (prefix, max) => {
    const buffer = bytes(prefix.padEnd(max + 1, 'x'));
    const command = new Command();
    expect(parseLine(buffer, 0, max, 0, command)).toBe(NEED_MORE);
    expect(parseLine(buffer, 0, max + 1, max, command)).toBe(max + 1);
    expect(describeCommand(command)).toEqual(refused('', 0, true));
    expect(parseLine(buffer, 0, max + 1, 0, command)).toBe(max + 1);
    expect(describeCommand(command)).toEqual(refused('', 0, true));
  });
  it('are taken when the LF is there', () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`.padEnd(200, '-'));
    expect(parseText(`gat 1 ${keys.join(' ')}\r\n`)['keys']).toEqual(keys);
  });
  it('give their memory back', () => {
    const command = new Command();
    const long = bytes(`get ${'k '.repeat(10_000)}\r\n`);
    parseLine(long, 0, long.length, 0, command);
    expect(command.keyCount).toBe(10_000);
    const short = bytes('get a b\r\n');
    parseLine(short, 0, short.length, 0, command);
    expect(describeCommand(command)['keys']).toEqual(['a', 'b']);
    expect(command.keyStarts.length).toBe(2);
  });
});

describe('get, gets, gat, gats', () => {
  it('take any number of keys', () => {
    expect(parseText('get a\r\n')).toEqual({ op: 'get', noreply: false, keys: ['a'] });
    expect(parseText(`gets a ${KEY_250}  a\r\n`)).toEqual({ op: 'gets', noreply: false, keys: ['a', KEY_250, 'a'] });
    expect(parseText('gat 10 a b\r\n')).toEqual({ op: 'gat', noreply: false, exptime: 10, keys: ['a', 'b'] });
    expect(parseText('gats -1 a\r\n')).toEqual({ op: 'gats', noreply: false, exptime: -1, keys: ['a'] });
  });
  test.each(['get', 'gets', 'get ', 'gat', 'gat 10', 'gats 10', 'gat x'])('%j lacks a key', (line) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(BAD_FORMAT));
  });
  test.each(['get', 'gets', 'gat 0', 'gats 0'])('%s refuses a key over 250 bytes wherever it stands', (line) => {
    expect(parseText(`${line} ${LONG_KEY} a\r\n`)).toEqual(refused(BAD_FORMAT));
    expect(parseText(`${line} a ${LONG_KEY}\r\n`)).toEqual(refused(BAD_FORMAT));
  });
  it('take noreply for a key, which silences only the refusal of get and gets', () => {
    expect(parseText('get noreply\r\n')).toEqual({ op: 'get', noreply: false, keys: ['noreply'] });
    expect(refusalOf(`gets ${LONG_KEY} noreply\r\n`)).toBe('');
    expect(refusalOf(`gat 0 ${LONG_KEY} noreply\r\n`)).toBe(BAD_FORMAT);
  });
  test.each(['x', '+1', '1x', '2147483648', '-2147483649'])('gat refuses the exptime %s', (exptime) => {
    expect(refusalOf(`gat ${exptime} a\r\n`)).toBe('CLIENT_ERROR invalid exptime argument');
    expect(refusalOf(`gats ${exptime} ${LONG_KEY}\r\n`)).toBe('CLIENT_ERROR invalid exptime argument');
  });
});

describe('storage commands', () => {
  test.each(['set', 'add', 'replace', 'append', 'prepend'])('%s takes key, flags, exptime and length', (op) => {
    expect(parseText(`${op} a 1 2 3\r\n`)).toEqual({ op, noreply: false, keys: ['a'], flags: 1, exptime: 2, length: 3 });
    expect(parseText(`${op}  a  4294967295 -1 0   noreply \n`))
      .toEqual({ op, noreply: true, keys: ['a'], flags: 4294967295, exptime: -1, length: 0 });
  });
  it('cas takes an id too', () => {
    const fields = { op: 'cas', keys: ['a'], flags: 1, exptime: 2, length: 3 };
    expect(parseText('cas a 1 2 3 4\r\n')).toEqual({ ...fields, noreply: false, casUnique: 4 });
    expect(parseText('cas a 1 2 3 18446744073709551615 noreply\r\n'))
      .toEqual({ ...fields, noreply: true, casUnique: 18446744073709551615n });
  });
  it('leaves the data block', () => {
    const command = new Command();
    const buffer = bytes('set a 0 0 2\r\nhi\r\n');
    expect(parseLine(buffer, 0, buffer.length, 0, command)).toBe(13);
  });
  it('overlooks extra words; noreply counts only as the last one', () => {
    expect(parseText('set a 0 0 2 x y z\r\n')).toMatchObject({ op: 'set', noreply: false, length: 2 });
    expect(parseText('set a 0 0 2 x noreply\r\n')).toMatchObject({ op: 'set', noreply: true });
    expect(parseText('set a 0 0 2 noreply x\r\n')).toMatchObject({ op: 'set', noreply: false });
  });
  it('has no casUnique left over from a cas before', () => {
    const command = new Command();
    for (const line of ['cas a 0 0 1 77\r\n', 'set a 0 0 1\r\n']) {
      parseLine(bytes(line), 0, line.length, 0, command);
    }
    expect(command.casUnique).toBe(0);
  });
  test.each([
    'set', 'set a', 'set a 0', 'set a 0 0', 'set a 0 noreply', 'set a 0 0 noreply', 'set a 0 0 -1', 'set a 0 0 x',
    'set a 0 0 +5', 'set a 0 0 5x noreply', 'set a 0 0 2147483646', 'set a 0 0 99999999999999999999',
    'set a 0 0 000000000005', 'cas a 0 0', `set ${LONG_KEY} 0 0 -1 noreply`,
  ])('%j has no usable length: nothing is skipped, noreply or not', (line) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(BAD_FORMAT));
  });
  it('takes lengths up to 2147483645', () => {
    expect(parseText('set a 0 0 2147483645\r\n')).toMatchObject({ op: 'set', length: 2147483645 });
    expect(parseText('set a 0 0 00000000005\r\n')).toMatchObject({ op: 'set', length: 5 });
  });
  test.each([
    `set ${LONG_KEY} 0 0 5`, 'set a -1 0 5', 'set a 0x10 0 5', 'set a x 0 5', 'set a 18446744073709551616 0 5',
    'set a 0 x 5', 'set a 0 1x 5', 'set a 0 9223372036854775808 5', 'append a x 0 5', 'cas a 0 0 5', 'cas a 0 0 5 x',
    'cas a 0 0 5 -1', 'cas a 0 0 5 18446744073709551616',
  ])('%j is refused together with its data block', (line) => {
    expect(parseText(`${line}\r\n`)).toEqual(refused(BAD_FORMAT, 7));
    expect(parseText(`${line} noreply\r\n`)).toEqual(refused('', 7));
  });
  it('cuts flags and exptime to 32 bits', () => {
    expect(parseText('set a 4294967297 4294967297 1\r\n')).toMatchObject({ flags: 1, exptime: 1 });
    expect(parseText('set a +5 2147483648 1\r\n')).toMatchObject({ flags: 5, exptime: -2147483648 });
    expect(parseText('set a 0 4294967295 1\r\n')).toMatchObject({ exptime: -1 });
  });
  it('reads a number behind a word of tabs, as strtoul does', () => {
    expect(parseText('set a \t 7 1\r\n')).toMatchObject({ flags: 7, exptime: 7, length: 1 });
  });
});

describe('incr and decr', () => {
  test.each(['incr', 'decr'])('%s takes a key and a delta', (op) => {
    expect(parseText(`${op} a 5\r\n`)).toEqual({ op, noreply: false, keys: ['a'], delta: 5 });
    expect(parseText(`${op} a 18446744073709551615 x noreply\r\n`))
      .toEqual({ op, noreply: true, keys: ['a'], delta: 18446744073709551615n });
  });
  test.each(['x', '-1', '+1', '1x', '18446744073709551616'])('refuse the delta %s', (delta) => {
    expect(refusalOf(`incr a ${delta}\r\n`)).toBe('CLIENT_ERROR invalid numeric delta argument');
    expect(refusalOf(`decr a ${delta} noreply\r\n`)).toBe('');
  });
  it('refuse missing words aloud, long keys as noreply says', () => {
    expect(refusalOf('incr\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('incr noreply\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('incr a noreply\r\n')).toBe('');
    expect(refusalOf(`incr ${LONG_KEY} x\r\n`)).toBe(BAD_FORMAT);
    expect(refusalOf(`incr ${LONG_KEY} 1 noreply\r\n`)).toBe('');
  });
});

describe('touch', () => {
  it('takes a key and an exptime', () => {
    expect(parseText('touch a -5\r\n')).toEqual({ op: 'touch', noreply: false, keys: ['a'], exptime: -5 });
    expect(parseText('touch a 0 noreply\r\n')).toEqual({ op: 'touch', noreply: true, keys: ['a'], exptime: 0 });
  });
  it('refuses what it must', () => {
    expect(refusalOf('touch a\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('touch a x\r\n')).toBe('CLIENT_ERROR invalid exptime argument');
    expect(refusalOf('touch a noreply\r\n')).toBe('');
    expect(refusalOf(`touch ${LONG_KEY} 0\r\n`)).toBe(BAD_FORMAT);
  });
});

describe('delete', () => {
  const USAGE = 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]';
  test.each([
    ['delete a', false, 'a'], ['delete a noreply', true, 'a'], ['delete a 0', false, 'a'],
    ['delete a 0 noreply', true, 'a'], ['delete noreply', true, 'noreply'],
  ])('%j', (line, noreply, key) => {
    expect(parseText(`${line}\r\n`)).toEqual({ op: 'delete', noreply, keys: [key] });
  });
  test.each(['delete a 1', 'delete a 00', 'delete a 0 0', 'delete a b c d e', 'delete a noreply 0'])(
    '%j is refused', (line) => {
      expect(refusalOf(`${line}\r\n`)).toBe(USAGE);
    });
  test.each(['delete a 1 noreply', 'delete a noreply noreply', 'delete a 0 0 noreply'])(
    '%j is refused silently', (line) => {
      expect(refusalOf(`${line}\r\n`)).toBe('');
    });
  it('refuses missing and long keys', () => {
    expect(refusalOf('delete\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf(`delete ${LONG_KEY}\r\n`)).toBe(BAD_FORMAT);
    expect(refusalOf(`delete ${LONG_KEY} noreply\r\n`)).toBe('');
  });
});

describe('flush_all, verbosity, sync', () => {
  test.each([
    ['flush_all', false, 0], ['flush_all noreply', true, 0], ['flush_all 10', false, 10],
    ['flush_all -1 noreply', true, -1], ['flush_all 5 x', false, 5],
  ])('%j', (line, noreply, exptime) => {
    expect(parseText(`${line}\r\n`)).toEqual({ op: 'flush_all', noreply, keys: [], exptime });
  });
  it('flush_all refuses what is no exptime', () => {
    expect(refusalOf('flush_all x\r\n')).toBe('CLIENT_ERROR invalid exptime argument');
    expect(refusalOf('flush_all noreply 0\r\n')).toBe('CLIENT_ERROR invalid exptime argument');
    expect(refusalOf('flush_all noreply noreply\r\n')).toBe('');
    expect(refusalOf('flush_all +5 noreply\r\n')).toBe('');
  });
  it('verbosity takes a level', () => {
    expect(parseText('verbosity 1\r\n')).toEqual({ op: 'verbosity', noreply: false, keys: [], exptime: 1 });
    expect(parseText('verbosity 9 noreply\r\n')).toEqual({ op: 'verbosity', noreply: true, keys: [], exptime: 9 });
    expect(refusalOf('verbosity\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('verbosity -1\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('verbosity noreply\r\n')).toBe('');
  });
  it('sync takes nothing but noreply', () => {
    expect(parseText('sync\r\n')).toEqual({ op: 'sync', noreply: false, keys: [] });
    expect(parseText('sync noreply\r\n')).toEqual({ op: 'sync', noreply: true, keys: [] });
    expect(refusalOf('sync now\r\n')).toBe(BAD_FORMAT);
    expect(refusalOf('sync now noreply\r\n')).toBe('');
  });
});

describe('version, quit, mn, stats, expire', () => {
  test.each(['version', 'quit', 'mn'])('%s overlooks further words', (op) => {
    expect(parseText(`${op}\r\n`)).toEqual({ op, noreply: false, keys: [] });
    expect(parseText(`${op} a noreply\r\n`)).toEqual({ op, noreply: false, keys: [] });
  });
  test.each(['stats', 'expire'])('%s keeps its words', (op) => {
    expect(parseText(`${op}\r\n`)).toEqual({ op, noreply: false, keys: [], words: [] });
    expect(parseText(`${op}  a \xe9 noreply \r\n`))
      .toEqual({ op, noreply: false, keys: [], words: ['a', '\xe9', 'noreply'] });
  });
});

describe('administration', () => {
  test.each(['shutdown', 'cache_memlimit', 'refresh_certs', 'slabs', 'lru', 'lru_crawler', 'watch'])('%s keeps its words', (word) => {
    expect(parseText(`${word}\r\n`)).toEqual({ op: 'admin', noreply: false, keys: [], words: [word] });
    expect(parseText(`${word}  a \xe9\r\n`)).toEqual({ op: 'admin', noreply: false, keys: [], words: [word, 'a', '\xe9'] });
  });
  test('noreply is a word of cache_memlimit alone, and silences them all', () => {
    expect(parseText('cache_memlimit 8 noreply\r\n')).toEqual({ op: 'admin', noreply: true, keys: [], words: ['cache_memlimit', '8'] });
    expect(parseText('slabs noreply\r\n')).toEqual({ op: 'admin', noreply: true, keys: [], words: ['slabs', 'noreply'] });
  });
});

describe('peekKeys()', () => {
  function peek(text: string, limit = 100): [string, Op][] {
    const buffer = bytes(text);
    const keys: [string, Op][] = [];
    peekKeys(buffer, 0, buffer.length, limit, (start, end, op) => keys.push([buffer.toString('latin1', start, end), op]));
    return keys;
  }
  it('reports the keys of complete commands, past their data blocks', () => {
    expect(peek('get a b\r\nset c 0 0 6\r\nget x\n\r\nmn\r\nincr d 1\r\ngat 0 e\r\nversion\r\n')).toEqual([
      ['a', Op.get], ['b', Op.get], ['c', Op.set], ['d', Op.incr], ['e', Op.gat],
    ]);
  });
  it('stops at the first incomplete command', () => {
    expect(peek('get a\r\nget b')).toEqual([['a', Op.get]]);
    expect(peek('get a\r\nset b 0 0 2\r\nhi\r')).toEqual([['a', Op.get]]);
    expect(peek('get a\r\nset b 0 0 2\r\nhi\r\n')).toEqual([['a', Op.get], ['b', Op.set]]);
  });
  it('stops at the first refused command and at quit', () => {
    expect(peek('get a\r\nfoo\r\nget b\r\n')).toEqual([['a', Op.get]]);
    expect(peek('get a\r\nset b x 0 1\r\nz\r\nget c\r\n')).toEqual([['a', Op.get]]);
    expect(peek('get a\r\nquit\r\nget b\r\n')).toEqual([['a', Op.get]]);
  });
  it('stops after the limit', () => {
    expect(peek('get a b c\r\nget d\r\n', 2)).toEqual([['a', Op.get], ['b', Op.get]]);
    expect(peek('get a\r\n', 0)).toEqual([]);
  });
  it('can be called from its own callback', () => {
    const buffer = bytes('get a b\r\n');
    let calls = 0;
    peekKeys(buffer, 0, buffer.length, 9, () => {
      peekKeys(buffer, 0, buffer.length, 9, () => calls++);
    });
    expect(calls).toBe(4);
  });
});
