import { describe, expect, it } from 'vitest';
import { leftOut, runs } from './lists.ts';
import { parseOptions, UsageError } from './options.ts';

describe('parseOptions()', () => {
  it('runs everything, normally, by default', () => {
    expect(parseOptions(['memcached'])).toEqual({ checkout: 'memcached', runs, fromDisk: false, keepLogs: undefined });
  });

  it('runs what --only names, with and without TLS', () => {
    const options = parseOptions(['memcached', '--only', 'quit.t,getset.t', '--from-disk', '--keep-logs', 'logs']);
    expect(options?.runs.map(({ file, tls }) => [file, tls])).toEqual([['quit.t', undefined], ['getset.t', undefined], ['getset.t', true]]);
    expect(options).toMatchObject({ fromDisk: true, keepLogs: 'logs' });
  });

  it('says why a file is not run', () => {
    expect(() => parseOptions(['memcached', '--only', 'extstore.t'])).toThrow('extstore.t is not run: needs extstore');
  });

  it('is undefined when help is asked for', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  it.each([[[]], [['a', 'b']], [['a', '--only', 'nonsense.t']], [['a', '--nonsense']]])('refuses %j', (args) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
  });
});

describe('lists', () => {
  it('have every start once, and no file both run and left out', () => {
    const starts = runs.map(({ file, tls }) => `${file} ${tls}`);
    expect(new Set(starts).size).toBe(starts.length);
    const out = leftOut.flatMap(({ files }) => files);
    expect(new Set(out).size).toBe(out.length);
    expect(out.filter((file) => runs.some((run) => run.file === file))).toEqual([]);
  });
});
