import { describe, expect, test } from 'vitest';
import { TugelaError } from '../../src/errors.ts';
import { optionsMarkdown } from '../../src/config/option.ts';
import { readServeSettings } from '../../src/config/serve-config.ts';
import { serveOptions } from '../../src/config/serve-options.ts';

function errorOf(given: Record<string, unknown>): TugelaError | undefined {
  try {
    readServeSettings(given, {});
    return undefined;
  } catch (error) {
    if (error instanceof TugelaError) return error;
    throw error;
  }
}

const LONG_PATH = `/${'x'.repeat(107)}`;

describe('readServeSettings() refuses', () => {
  test.each([
    [{ port: 'http' }, "--port: 'http' is not a whole number from 0 to 65535"],
    [{ port: '65536' }, "--port: '65536' is not a whole number from 0 to 65535"],
    [{ port: '-1' }, "--port: '-1' is not a whole number from 0 to 65535"],
    [{ port: '' }, "--port: '' is not a whole number from 0 to 65535"],
    [{ listen: ['1.2.3'] }, "--listen: '1.2.3' is not a host name, an IPv4 or an IPv6 address"],
    [{ listen: ['1.2.3.4:5'] }, "--listen: '1.2.3.4:5' has a port in it; give the port with --port"],
    [{ listen: ['[::1]:5'] }, "--listen: '[::1]:5' has a port in it; give the port with --port"],
    [{ listen: ['*'] }, "--listen: '*' is not an address; every address is 0.0.0.0 or ::"],
    [{ listen: ['::1', 'none'] }, "--listen: 'none' stands alone"],
    [{ listen: ['a b'] }, "--listen: 'a b' is not a host name, an IPv4 or an IPv6 address"],
    [{ listen: ['none'] }, '--listen: none leaves nothing to listen on; give --socket too'],
    [{ socket: '' }, "--socket: '' is not a path of 1 to 107 bytes"],
    [{ socket: LONG_PATH }, `--socket: '${LONG_PATH}' is not a path of 1 to 107 bytes`],
    [{ socketMode: '0888' }, "--socket-mode: '0888' is not an octal mode from 0000 to 0777"],
    [{ socketMode: '4700' }, "--socket-mode: '4700' is not an octal mode from 0000 to 0777"],
    [{ file: '' }, "--file: '' is not a path"],
    [{ memory: '0' }, "--memory: '0' is not a whole number from 1 to 1048576"],
    [{ memory: '64m' }, "--memory: '64m' is not a whole number from 1 to 1048576"],
    [{ connections: '0' }, "--connections: '0' is not a whole number from 1 to 1000000"],
    [{ sync: '-1' }, "--sync: '-1' is not a number of seconds from 0 to 604800"],
    [{ sync: '604801' }, "--sync: '604801' is not a number of seconds from 0 to 604800"],
    [{ ack: 'disk' }, "--ack: 'disk' is not one of memory, log, sync"],
    [{ expireEvery: '1h' }, "--expire-every: '1h' is not a number of seconds from 0 to 604800"],
    [{ maxItemSize: '1023' }, "--max-item-size: '1023' is not a size from 1k to 128m (bytes, or a number with k or m)"],
    [{ maxItemSize: '129m' }, "--max-item-size: '129m' is not a size from 1k to 128m (bytes, or a number with k or m)"],
    [{ pidfile: '' }, "--pidfile: '' is not a path"],
    [{ user: '' }, "--user: '' is not a user name or id"],
    [{ logLevel: 'loud' }, "--log-level: 'loud' is not one of trace, debug, info, warn, error, fatal, silent"],
    [{ control: 'all' }, "--control: 'all' is not one of local, any, off"],
    [{ config: '' }, "--config: '' is not a path"],
    [
      { withExpire: true, control: 'off' },
      '--with-expire: the daemon needs the commands that --control off forbids; use local or any',
    ],
    [
      { withExpire: true, listen: ['10.0.0.1'] },
      '--with-expire: the daemon cannot reach 10.0.0.1 as a local client; add --listen 127.0.0.1 or --socket, or use --control any',
    ],
    [{ ack: 'a\nb' }, "--ack: 'a?b' is not one of memory, log, sync"],
  ])('%j', (given, message) => {
    expect(errorOf(given)).toMatchObject({ code: 'TUGELA_USAGE', message });
  });

  test('a flag in the environment that is neither yes nor no', () => {
    expect(() => readServeSettings({}, { TUGELA_LOG_PRETTY: 'maybe' })).toThrow(
      "TUGELA_LOG_PRETTY: 'maybe' is not one of true, false, yes, no, on, off, 1, 0",
    );
  });
});

describe('readServeSettings() accepts', () => {
  test.each([
    [{ port: '0' }, { port: 0 }],
    [{ listen: ['0.0.0.0,::1', '[::2]', '127.0.0.1 , cache-1.example.org', '::1'] }, { listen: ['0.0.0.0', '::1', '::2', '127.0.0.1', 'cache-1.example.org'] }],
    [{ listen: ['fe80::1%eth0'] }, { listen: ['fe80::1%eth0'] }],
    [{ listen: ['none'], socket: '/tmp/s' }, { listen: [], socket: '/tmp/s' }],
    [{ socketMode: '770' }, { socketMode: 0o770 }],
    [{ maxItemSize: '1024' }, { maxItemSize: 1024 }],
    [{ maxItemSize: '512K' }, { maxItemSize: 524_288 }],
    [{ maxItemSize: '128m' }, { maxItemSize: 134_217_728 }],
    [{ sync: '0' }, { sync: 0 }],
    [{ expireEvery: '0.25' }, { expireEvery: 0.25 }],
    [{ withExpire: true, listen: ['10.0.0.1', 'localhost'] }, { listen: ['10.0.0.1', 'localhost'] }],
    [{ withExpire: true, listen: ['::'] }, { listen: ['::'] }],
    [{ withExpire: true, listen: ['10.0.0.1'], control: 'any' }, { control: 'any' }],
  ])('%j', (given, expected) => {
    expect(readServeSettings(given, {}).server).toMatchObject(expected);
  });
});

describe('serveOptions', () => {
  const specs = Object.entries(serveOptions);

  test.each(specs)('%s has the camelCase form of its name as key', (key, spec) => {
    expect(key).toBe(spec.name.replaceAll(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase()));
  });

  test.each(specs.filter(([, spec]) => spec.defaultText !== undefined))('%s shows its real default', (_key, spec) => {
    expect(spec.type.parse(spec.defaultText ?? '')).toEqual({ ok: true, value: spec.default });
  });

  test('optionsMarkdown() has one row for each', () => {
    const lines = optionsMarkdown(serveOptions).trimEnd().split('\n');
    expect(lines).toHaveLength(specs.length + 2);
    expect(lines[2]).toBe(
      '| `-p, --port <num>` | `11211` |  | `TUGELA_PORT` | TCP port; 0 = any free one, printed on stdout | a whole number from 0 to 65535 |',
    );
  });
});
