import { describe, expect, test } from 'vitest';
import { memcachedHelp, memcachedVersionLine } from '../../src/cli/memcached-help.ts';
import { memcachedForms, ownForms } from '../../src/config/memcached/forms.ts';

describe('memcachedVersionLine()', () => {
  test("begins with memcached's name and version, whose number is the second word", () => {
    const [name, version] = memcachedVersionLine().split(' ');
    expect(name).toBe('memcached');
    expect(version).toMatch(/^1\.\d+\.\d+$/);
    expect(memcachedVersionLine()).toMatch(/^.* \(tugela-ts [^ ]+\)\n$/);
  });
});

describe('memcachedHelp()', () => {
  test.each([...memcachedForms, ...ownForms])('names $letter $longs', ({ letter, longs }) => {
    const lines = memcachedHelp().split('\n');
    const long = longs[0] === undefined ? '' : `--${longs[0]}`;
    const start = letter === undefined ? long : long === '' ? `-${letter}` : `-${letter}, ${long}`;
    expect(lines.some((line) => line.startsWith(start))).toBe(true);
  });

  test('has the words by which test suites find out what a memcached can do', () => {
    expect(memcachedHelp()).toMatch(/unix-socket[^]*enable-sasl[^]*enable-ssl/);
  });

  test('has none of the words for what is not here', () => {
    expect(memcachedHelp()).not.toMatch(/ext_path|proxy_config|no_drop_privileges/i);
  });

  test('fits a wide terminal', () => {
    expect(Math.max(...memcachedHelp().split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  test('has no letter and no long name twice', () => {
    const names = [...memcachedForms, ...ownForms].flatMap(({ letter, longs }) => [...longs, ...(letter === undefined ? [] : [letter])]);
    expect(new Set(names).size).toBe(names.length);
  });
});
