import { describe, expect, test } from 'vitest';
import { readServeSettings } from '../../src/config/serve-config.ts';

const TLS = { tls: true, tlsCert: '/tls/cert', tlsKey: '/tls/key' };

describe('readServeSettings() refuses together', () => {
  test.each([
    [{ listen: ['none'] }, '--listen: none leaves nothing to listen on; give --socket too'],
    [{ listen: ['none'], socket: '/tmp/s', udpPort: '0' }, '--udp-port: UDP is served on the addresses of --listen, and there is none'],

    [{ udpLongReplies: true }, '--udp-long-replies: has no effect without --udp-port'],

    [{ connectionMemory: '5m', maxItemSize: '3m' }, '--connection-memory: 5m is less than two items of --max-item-size take, 6m'],

    [{ tls: true }, '--tls: needs --tls-cert and --tls-key'],
    [{ tls: true, tlsCert: '/tls/cert' }, '--tls: needs --tls-cert and --tls-key'],
    [{ ...TLS, listen: ['none'], socket: '/tmp/s' }, '--tls: only TCP has TLS, and there is no TCP address'],
    [{ tlsCert: '/tls/cert', tlsKey: '/tls/key' }, '--tls-cert: has no effect without --tls'],
    [{ tlsVerify: 'require' }, '--tls-verify: has no effect without --tls'],
    [{ listen: ['mtls:127.0.0.1:5'] }, '--listen: mtls:127.0.0.1:5 needs --tls'],

    [
      { authFile: '/a', protocol: 'binary' },
      '--auth-file: clients of another protocol would come in without a password; --protocol must be ascii, not binary',
    ],
    [
      { authFile: '/a', protocol: 'auto' },
      '--auth-file: clients of another protocol would come in without a password; --protocol must be ascii, not auto',
    ],
    [{ authFile: '/a', udpPort: '0' }, '--auth-file: there are no passwords over UDP; leave out --udp-port'],
    [
      { enableSasl: true, saslFile: '/s', protocol: 'ascii' },
      '--enable-sasl: clients of another protocol would come in without a password; --protocol must be binary, not ascii',
    ],
    [{ enableSasl: true, saslFile: '/s', udpPort: '5' }, '--enable-sasl: there are no passwords over UDP; leave out --udp-port'],
    [
      { enableSasl: true },
      '--enable-sasl: needs a file of user:password lines; name it with --sasl-file or in MEMCACHED_SASL_PWDB',
    ],
    [{ saslFile: '/s' }, '--sasl-file: has no effect without --enable-sasl'],
    [
      { authFile: '/a', enableSasl: true, saslFile: '/s' },
      '--auth-file: is for the text protocol alone, --enable-sasl for the binary protocol alone; give one of them',
    ],

    [
      { withExpire: true, control: 'off' },
      '--with-expire: the daemon needs the commands that --control off forbids; use local or any, or use --expire-every instead',
    ],
    [
      { withExpire: true, listen: ['10.0.0.1:5', '10.0.0.2'] },
      '--with-expire: the daemon cannot reach 10.0.0.1:5, 10.0.0.2 as a local client; add --listen 127.0.0.1 or --socket, use --control any, or use --expire-every instead',
    ],
    [{ withExpire: true, authFile: '/a' }, '--with-expire: the daemon has no password for --auth-file; use --expire-every instead'],
    [
      { withExpire: true, enableSasl: true, saslFile: '/s' },
      '--with-expire: the daemon has no password for --enable-sasl; use --expire-every instead',
    ],
    [
      { withExpire: true, protocol: 'binary' },
      '--with-expire: the daemon speaks the text protocol, which --protocol binary forbids; use --expire-every instead',
    ],
    [
      { withExpire: true, ...TLS },
      '--with-expire: the daemon is started without TLS; add --socket, or --listen notls:127.0.0.1 with a port of its own, or use --expire-every instead',
    ],
    // Which port that will be is known only to the server.
    [
      { withExpire: true, ...TLS, port: '0', listen: ['notls:127.0.0.1'] },
      '--with-expire: the daemon is started without TLS; add --socket, or --listen notls:127.0.0.1 with a port of its own, or use --expire-every instead',
    ],
  ])('%j', (given, message) => {
    expect(() => readServeSettings(given, {})).toThrow(expect.objectContaining({ code: 'TUGELA_USAGE', message }));
  });
});

describe('readServeSettings() accepts together', () => {
  test.each([
    [{ listen: ['none'], socket: '/tmp/s' }, { listen: [], socket: '/tmp/s' }],
    [{ authFile: '/a' }, { authFile: '/a', protocol: 'ascii' }],
    [{ authFile: '/a', protocol: 'ascii', udpPort: 'none' }, { authFile: '/a', protocol: 'ascii' }],
    [{ enableSasl: true, saslFile: '/s' }, { saslFile: '/s', protocol: 'binary' }],
    [{ enableSasl: false, saslFile: '/s' }, { saslFile: undefined, protocol: 'auto' }],
    [{ tls: false, tlsCert: '/tls/cert' }, { tls: undefined }],
    [{ listen: ['notls:127.0.0.1'] }, { tls: undefined }],
    [{ ...TLS, udpPort: '0', listen: ['mtls:127.0.0.1'] }, { udpPort: 0 }],
    [{ withExpire: true, listen: ['10.0.0.1', 'localhost'] }, {}],
    [{ withExpire: true, listen: ['::'] }, {}],
    [{ withExpire: true, listen: ['10.0.0.1'], control: 'any' }, {}],
    [{ withExpire: true, ...TLS, socket: '/tmp/s' }, {}],
    [{ withExpire: true, ...TLS, listen: ['127.0.0.1', 'notls:127.0.0.1:11212'] }, {}],
  ])('%j', (given, expected) => {
    expect(readServeSettings(given, {}).server).toMatchObject(expected);
  });

  test('all of TLS', () => {
    const given = { ...TLS, tlsCa: '/tls/ca', tlsVerify: 'request', tlsCiphers: 'HIGH', tlsMinVersion: '1.0', tlsSessionCache: true };
    expect(readServeSettings(given, {}).server.tls).toEqual({
      cert: '/tls/cert',
      key: '/tls/key',
      ca: '/tls/ca',
      verify: 'request',
      ciphers: 'HIGH',
      minVersion: 'TLSv1',
      sessionCache: true,
      writeBuffer: 16_384,
    });
    expect(readServeSettings(TLS, {}).server.tls).toMatchObject({
      ca: undefined,
      verify: 'none',
      ciphers: undefined,
      minVersion: 'TLSv1.2',
      sessionCache: false,
    });
  });
});

describe('readServeSettings() gives connections memory', () => {
  test.each([
    [{}, 16 * 2 ** 20],
    [{ memory: '1024' }, 256 * 2 ** 20],
    [{ maxItemSize: '128m' }, 512 * 2 ** 20],
    [{ connectionMemory: '8m', memory: '1024' }, 8 * 2 ** 20],
  ])('by %o', (given, bytes) => {
    expect(readServeSettings(given, {}).server.connectionMemory).toBe(bytes);
  });
});
