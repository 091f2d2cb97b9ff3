import { describe, expect, test } from 'vitest';
import { type OptionForm, readWords } from '../../src/config/memcached/getopt.ts';

const forms: readonly OptionForm[] = [
  { letter: 'p', longs: ['port'], takesValue: true },
  { letter: 'v', longs: ['verbose'], takesValue: false },
  { letter: 'd', longs: ['daemon'], takesValue: false },
  { letter: 'N', longs: ['napi-ids', 'napi_ids'], takesValue: true },
  { letter: 'B', longs: ['protocol'], takesValue: true },
];

function read(line: string): string[] {
  const { options, rest } = readWords(line === '' ? [] : line.split(' '), forms);
  return [...options.map(({ form, place, value }) => `${form.letter}:${place}=${value}`), ...rest];
}

describe('readWords() reads', () => {
  test.each([
    ['', []],
    ['-p 1', ['p:-p=1']],
    ['-p1', ['p:-p=1']],
    ['-p -1', ['p:-p=-1']],
    ['-vv', ['v:-v=', 'v:-v=']],
    ['-vdp1', ['v:-v=', 'd:-d=', 'p:-p=1']],
    ['-vdp 1', ['v:-v=', 'd:-d=', 'p:-p=1']],
    ['-pv', ['p:-p=v']],
    ['--port 1', ['p:--port=1']],
    ['--port=1', ['p:--port=1']],
    ['--port=', ['p:--port=']],
    ['--port=a=b', ['p:--port=a=b']],
    ['--daemon --verbose', ['d:--daemon=', 'v:--verbose=']],
    ['--po 1', ['p:--port=1']],
    ['--na 1', ['N:--napi-ids=1']],
    ['--napi_ids 1', ['N:--napi_ids=1']],
    ['start -v - now', ['v:-v=', 'start', '-', 'now']],
    ['-v -- -v', ['v:-v=', '-v']],
  ])('%s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });
});

describe('readWords() refuses', () => {
  test.each([
    ['-x', '-x: there is no such option; see -h'],
    ['-vx', '-x: there is no such option; see -h'],
    ['-p', '-p: needs a value'],
    ['--port', '--port: needs a value'],
    ['--verbose=1', '--verbose: takes no value'],
    ['--nonsense', '--nonsense: there is no such option; see -h'],
    ['--p 1', '--p: could be --port or --protocol'],
  ])('%s', (line, message) => {
    expect(() => read(line)).toThrow(expect.objectContaining({ code: 'TUGELA_USAGE', message }));
  });
});
