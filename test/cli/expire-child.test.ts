import { describe, expect, test } from 'vitest';
import { daemonAddresses, expireArguments, expireEnvironment } from '../../src/cli/expire-child.ts';
import { readServeSettings } from '../../src/config/serve-config.ts';

const QUIET = { logLevel: 'info', logPretty: false } as const;

describe('expireArguments()', () => {
  test.each([
    [['127.0.0.1:4000'], ['-H', '127.0.0.1', '-P', '4000']],
    [['127.0.0.1:4000', 'unix:/run/t.sock'], ['--socket', '/run/t.sock']],
    [['10.0.0.1:4000', '[::1]:4001'], ['-H', '::1', '-P', '4001']],
    [['0.0.0.0:4000'], ['-H', '127.0.0.1', '-P', '4000']],
    [['[::]:4000'], ['-H', '::1', '-P', '4000']],
    [['10.0.0.1:4000'], ['-H', '10.0.0.1', '-P', '4000']],
    [['udp:127.0.0.1:4000', 'udp:[::1]:4000', '10.0.0.1:4001'], ['-H', '10.0.0.1', '-P', '4001']],
  ])('for %j says %j', (addresses, target) => {
    expect(expireArguments(addresses, QUIET)).toEqual(['expire', ...target, '--log-level', 'info']);
  });

  test('hands the logging on', () => {
    const args = expireArguments(['127.0.0.1:4000'], { logLevel: 'trace', logPretty: true });
    expect(args.slice(-3)).toEqual(['--log-level', 'trace', '--log-pretty']);
  });
});

describe('daemonAddresses()', () => {
  const bound = ['127.0.0.1:4000', '[::1]:4001', 'unix:/run/t.sock'];

  test('are all of a server without TLS', () => {
    expect(daemonAddresses(bound, readServeSettings({}, {}).server)).toEqual(bound);
  });

  test.each([
    [['127.0.0.1'], ['unix:/run/t.sock']],
    [['127.0.0.1', 'notls:[::1]:4001'], ['unix:/run/t.sock', '[::1]:4001']],
    [['notls:127.0.0.1', 'mtls:[::1]:4001'], ['unix:/run/t.sock', '127.0.0.1:4000']],
  ])('are those without TLS where there is TLS: %j', (listen, expected) => {
    const given = { tls: true, tlsCert: '/c', tlsKey: '/k', port: '4000', socket: '/run/t.sock', listen };
    expect(daemonAddresses(bound, readServeSettings(given, {}).server)).toEqual(expected);
  });
});

test('expireEnvironment() keeps what is not for the server and marks the pipe', () => {
  const environment = { PATH: '/bin', TUGELA_FILE: '/data', TUGELA_CONFIG: 'x', TUGELA_STATS_PORT: '0' };
  expect(expireEnvironment(environment)).toEqual({ PATH: '/bin', TUGELA_STATS_PORT: '0', TUGELA_PARENT_PIPE: '1' });
});
