import { describe, expect, test } from 'vitest';
import { TugelaError } from '../../src/errors.ts';
import { everyAddress } from '../../src/config/address.ts';
import { optionsMarkdown, type OptionSpec } from '../../src/config/option.ts';
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
    [{ listen: ['1.2.3'] }, "--listen: '1.2.3' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
    [{ listen: ['1.2.3:5'] }, "--listen: '1.2.3:5' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
    [{ listen: [':5'] }, "--listen: ':5' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
    [{ listen: ['1.2.3.4:'] }, "--listen: '1.2.3.4:' has a port that is not a whole number from 0 to 65535"],
    [{ listen: ['[::1]:65536'] }, "--listen: '[::1]:65536' has a port that is not a whole number from 0 to 65535"],
    [{ listen: ['notls:none'] }, "--listen: 'notls:none' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
    [
      { listen: ['proto[ascii]:127.0.0.1'] },
      "--listen: 'proto[ascii]:127.0.0.1': of memcached's prefixes only notls:, btls: and mtls: are understood; --protocol fixes the protocol",
    ],
    [{ listen: ['::1', 'none'] }, "--listen: 'none' stands alone"],
    [{ listen: ['a b'] }, "--listen: 'a b' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
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
    [{ maxItemSize: '1023' }, "--max-item-size: '1023' is not a size from 1k to 1g (bytes, or a number with k, m, g or t)"],
    [{ maxItemSize: '1025m' }, "--max-item-size: '1025m' is not a size from 1k to 1g (bytes, or a number with k, m, g or t)"],
    [{ pidfile: '' }, "--pidfile: '' is not a path"],
    [{ user: '' }, "--user: '' is not a user name or id"],
    [{ logLevel: 'loud' }, "--log-level: 'loud' is not one of trace, debug, info, warn, error, fatal, silent"],
    [{ control: 'all' }, "--control: 'all' is not one of local, any, off"],
    [{ config: '' }, "--config: '' is not a path"],
    [{ udpPort: '-1' }, "--udp-port: '-1' is not a whole number from 0 to 65535, or none"],
    [{ backlog: '0' }, "--backlog: '0' is not a whole number from 1 to 1000000"],
    [{ maxRequestsPerEvent: '0' }, "--max-requests-per-event: '0' is not a whole number from 1 to 1000000"],
    [{ protocol: 'http' }, "--protocol: 'http' is not one of auto, ascii, binary"],
    [{ idleTimeout: '1.5' }, "--idle-timeout: '1.5' is not a whole number from 0 to 604800"],
    [{ prefixDelimiter: '::' }, "--prefix-delimiter: '::' is not one printable ASCII character other than the space"],
    [{ prefixDelimiter: ' ' }, "--prefix-delimiter: ' ' is not one printable ASCII character other than the space"],
    [{ watcherBuffer: '1' }, "--watcher-buffer: '1' is not a size from 1k to 1g (bytes, or a number with k, m, g or t)"],
    [{ tlsVerify: 'once' }, "--tls-verify: 'once' is not one of none, request, require"],
    [{ tlsMinVersion: 'TLSv1.2' }, "--tls-min-version: 'TLSv1.2' is not one of 1.0, 1.1, 1.2, 1.3"],
    [{ authFile: '' }, "--auth-file: '' is not a path"],
    [{ threads: '0' }, "--threads: '0' is not a whole number from 1 to 1000000"],
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
    [{ udpPort: '0' }, { udpPort: 0 }],
    [{ udpPort: 'none' }, { udpPort: undefined }],
    [{ udpPort: '0', udpLongReplies: true }, { udpLongReplies: true }],
    [{ socketMode: '770' }, { socketMode: 0o770 }],
    [{ maxItemSize: '1024' }, { maxItemSize: 1024 }],
    [{ maxItemSize: '512K' }, { maxItemSize: 524_288 }],
    [{ maxItemSize: '1024M' }, { maxItemSize: 1_073_741_824 }],
    [{ maxItemSize: '1g' }, { maxItemSize: 1_073_741_824 }],
    [{ watcherBuffer: '8k' }, { watcherBuffer: 8192 }],
    [{ prefixDelimiter: '.' }, { prefixDelimiter: '.', detail: true }],
    [{ prefixDelimiter: ':' }, { prefixDelimiter: ':', detail: true }],
    [{ sync: '0' }, { sync: 0 }],
    [{ expireEvery: '0.25' }, { expireEvery: 0.25 }],
    [{ disableCas: true, disableFlushAll: true }, { cas: false, flushAll: false }],
    [{ disableDumping: true, disableWatch: true }, { dumping: false, watching: false }],
    [{ disableEvictions: true, enableShutdown: true }, { evictions: false, shutdown: true }],
  ])('%j', (given, expected) => {
    expect(readServeSettings(given, {}).server).toMatchObject(expected);
  });
});

describe('readServeSettings() reads addresses', () => {
  test.each([
    [['none'], []],
    [['0.0.0.0,::1', '[::2]', '127.0.0.1 , cache-1.example.org', '::1'], ['0.0.0.0', '::1', '::2', '127.0.0.1', 'cache-1.example.org']],
    [['fe80::1%eth0'], ['fe80::1%eth0']],
    [['1.2.3.4:5', 'localhost:0'], [{ host: '1.2.3.4', port: 5 }, { host: 'localhost', port: 0 }]],
    [['[::1]:5'], [{ host: '::1', port: 5 }]],
    // Without brackets it is all address.
    [['::1:5'], ['::1:5']],
    [['::1', '[::1]:11212', 'btls:::1'], ['::1', { host: '::1', port: 11_212 }]],
    [['*'], [everyAddress()]],
    [['*:5'], [{ host: everyAddress(), port: 5 }]],
    [['notls:127.0.0.1'], [{ host: '127.0.0.1', security: 'plain' }]],
  ])('%j', (listen, expected) => {
    const addresses = expected.map((each) => (typeof each === 'string' ? { host: each } : each));
    expect(readServeSettings({ listen, socket: '/tmp/s' }, {}).server.listen).toEqual(
      addresses.map((address) => ({ port: undefined, security: undefined, ...address })),
    );
  });
});

describe('readServeSettings() gives notice of what has no effect', () => {
  test.each([
    [{}, []],
    [{ threads: '4' }, ['--threads has no effect here: all requests are executed by one thread']],
    [
      { lockMemory: true, enableLargepages: true, slabMinSize: '48' },
      [
        "--enable-largepages has no effect here: memory comes from Node, in pages of the system's choice",
        '--slab-min-size has no effect here: items are not kept in chunks of fixed size',
        '--lock-memory has no effect here: Node cannot lock memory; items are on disk anyway',
      ],
    ],
    [{ lockMemory: false }, []],
  ])('%j', (given, notices) => {
    expect(readServeSettings(given, {}).notices).toEqual(notices);
  });
});

describe("readServeSettings() heeds memcached's variables", () => {
  test('for the file of ports', () => {
    expect(readServeSettings({}, { MEMCACHED_PORT_FILENAME: '/tmp/ports' }).server.portFile).toBe('/tmp/ports');
    expect(readServeSettings({}, { MEMCACHED_PORT_FILENAME: '' }).server.portFile).toBeUndefined();
  });

  test('for the file of SASL passwords, unless --sasl-file names one', () => {
    const environment = { MEMCACHED_SASL_PWDB: '/etc/a' };
    expect(readServeSettings({ enableSasl: true }, environment).server.saslFile).toBe('/etc/a');
    expect(readServeSettings({ enableSasl: true, saslFile: '/etc/b' }, environment).server.saslFile).toBe('/etc/b');
    expect(readServeSettings({}, environment).server.saslFile).toBeUndefined();
  });
});

describe('serveOptions', () => {
  const specs = Object.entries<OptionSpec<unknown>>(serveOptions);

  test.each(specs)('%s has the camelCase form of its name as key', (key, spec) => {
    expect(key).toBe(spec.name.replaceAll(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase()));
  });

  test.each(specs.filter(([, spec]) => spec.defaultText !== undefined))('%s shows its real default', (_key, spec) => {
    expect(spec.type.parse(spec.defaultText ?? '')).toEqual({ ok: true, value: spec.default });
  });

  test('no letter stands for two', () => {
    const letters = specs.flatMap(([, { short }]) => (short === undefined ? [] : [short]));
    expect(new Set(letters).size).toBe(letters.length);
  });

  test('optionsMarkdown() has one row for each that has an effect', () => {
    const lines = optionsMarkdown(serveOptions).trimEnd().split('\n');
    expect(lines).toHaveLength(specs.filter(([, spec]) => spec.ignored === undefined).length + 2);
    expect(lines[2]).toBe(
      '| `-p, --port <num>` | `11211` |  | `TUGELA_PORT` | TCP port; 0 = any free one, printed on stdout | a whole number from 0 to 65535 |',
    );
  });
});
