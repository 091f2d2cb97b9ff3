import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ListenAddress } from '../../src/config.ts';
import { readServeSettings } from '../../src/config/serve-config.ts';
import { temporaryDirectory } from './temporary-directory.ts';

function address(host: string): ListenAddress {
  return { host, port: undefined, security: undefined };
}

function configFile(content: unknown): string {
  const path = join(temporaryDirectory(), 'tugela.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('readServeSettings()', () => {
  test('gives the defaults when nobody says anything', () => {
    expect(readServeSettings({}, {})).toEqual({
      server: {
        port: 11_211,
        listen: [address('127.0.0.1')],
        udpPort: undefined,
        udpLongReplies: false,
        socket: undefined,
        socketMode: 0o700,
        file: './data',
        memory: 64,
        connections: 1024,
        connectionMemory: 16 * 1024 ** 2,
        backlog: 1024,
        requestsPerEvent: 100,
        idleTimeout: 0,
        protocol: 'auto',
        ramTier: true,
        diskLimit: undefined,
        quotas: [],
        tls: undefined,
        authFile: undefined,
        saslFile: undefined,
        cas: true,
        flushAll: true,
        dumping: true,
        watching: true,
        shutdown: false,
        evictions: true,
        prefixDelimiter: ':',
        detail: false,
        trackSizes: false,
        watcherBuffer: 262_144,
        portFile: undefined,
        sync: 66,
        ack: 'log',
        ephemeralTtl: 0,
        expireEvery: 0,
        maxItemSize: 1_048_576,
        control: 'local',
        verbosity: 0,
      },
      process: { withExpire: false, autoRepair: false, pidfile: undefined, user: undefined, logLevel: 'info', logPretty: false },
      notices: [],
    });
  });

  test('prefers the command line to the environment to the file to the default', () => {
    const config = configFile({ port: 1, memory: 1, connections: 1 });
    const environment = { TUGELA_PORT: '2', TUGELA_MEMORY: '2', TUGELA_CONFIG: config };
    const { server } = readServeSettings({ port: '3' }, environment);
    expect(server).toMatchObject({ port: 3, memory: 2, connections: 1, sync: 66 });
  });

  test('prefers --config to TUGELA_CONFIG', () => {
    const settings = readServeSettings({ config: configFile({ port: 1 }) }, { TUGELA_CONFIG: '/nowhere.json' });
    expect(settings.server.port).toBe(1);
  });

  test('replaces a list as a whole', () => {
    const { server } = readServeSettings({ listen: ['::1', '10.0.0.1'] }, { TUGELA_LISTEN: '127.0.0.2' });
    expect(server.listen).toEqual([address('::1'), address('10.0.0.1')]);
  });

  test('takes an empty variable for none', () => {
    expect(readServeSettings({}, { TUGELA_PORT: '', TUGELA_CONFIG: '' }).server.port).toBe(11_211);
  });

  test('lets the command line take back a flag', () => {
    expect(readServeSettings({ withExpire: false }, { TUGELA_WITH_EXPIRE: 'yes' }).process.withExpire).toBe(false);
  });

  test('checks a value even when a stronger layer hides it', () => {
    expect(() => readServeSettings({ port: '1' }, { TUGELA_PORT: 'x' })).toThrow(/^TUGELA_PORT: 'x'/);
  });
});

describe('readServeSettings() settles -v and --log-level', () => {
  test.each([
    [{ verbose: 1 }, {}, 'debug', 1],
    [{ verbose: 2 }, {}, 'trace', 2],
    [{ verbose: 3 }, {}, 'trace', 2],
    [{ logLevel: 'trace' }, {}, 'trace', 2],
    [{ logLevel: 'debug' }, {}, 'debug', 1],
    [{ logLevel: 'silent' }, {}, 'silent', 0],
    [{ verbose: 2, logLevel: 'warn' }, {}, 'warn', 0],
    [{ verbose: 2 }, { TUGELA_LOG_LEVEL: 'warn' }, 'trace', 2],
    [{ logLevel: 'warn' }, { TUGELA_VERBOSE: '2' }, 'warn', 0],
    [{}, { TUGELA_VERBOSE: 'true' }, 'debug', 1],
  ] as const)('%j with %j is %s', (given, environment, logLevel, verbosity) => {
    const settings = readServeSettings(given, environment);
    expect([settings.process.logLevel, settings.server.verbosity]).toEqual([logLevel, verbosity]);
  });
});

describe('readServeSettings() reads a file', () => {
  test('with keys in kebab-case and camelCase, and values of JSON types or strings', () => {
    const config = configFile({
      'max-item-size': '2m',
      socketMode: '0770',
      socket: '/tmp/s',
      listen: ['::1', '127.0.0.1'],
      sync: 0.5,
      port: '7',
      'with-expire': true,
      verbose: 2,
    });
    const settings = readServeSettings({ config }, {});
    expect(settings.server).toMatchObject({
      maxItemSize: 2_097_152,
      socketMode: 0o770,
      socket: '/tmp/s',
      listen: [address('::1'), address('127.0.0.1')],
      sync: 0.5,
      port: 7,
      verbosity: 2,
    });
    expect(settings.process.withExpire).toBe(true);
  });

  test.each([
    [{ prot: 1 }, /: unknown key 'prot'; allowed: port, listen, udp-port, udp-long-replies, socket, [^]*, log-pretty$/],
    [{ config: 'x' }, /: unknown key 'config'/],
    [{ socketMode: 700 }, /: socketMode: 700 is not allowed; write a JSON string: an octal mode from 0000 to 0777$/],
    [{ listen: 5 }, /: listen: 5 is not allowed; write a JSON string or array of strings: /],
    [{ listen: ['::1', 5] }, /: listen: \["::1",5\] is not allowed/],
    [{ port: null }, /: port: null is not allowed; write a JSON number or string/],
    [{ port: 1.5 }, /: port: '1.5' is not a whole number from 0 to 65535$/],
    [{ 'socket-mode': '0700', socketMode: '0700' }, /: socketMode: said twice, as socket-mode and as socketMode$/],
    [[], /: not a JSON object with option names as keys$/],
    ['{\n"port": \n}', /: not JSON: .*[^\n]*$/],
  ])('and refuses %j', (content, message) => {
    const config = configFile(content);
    expect(() => readServeSettings({ config }, {})).toThrow(message);
    expect(() => readServeSettings({ config }, {})).toThrow(config);
  });

  test('and says so when there is none', () => {
    expect(() => readServeSettings({ config: '/nowhere/t.json' }, {})).toThrow(
      'Cannot read the configuration file /nowhere/t.json: no such file',
    );
  });
});
