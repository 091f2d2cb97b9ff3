import { describe, expect, test } from 'vitest';
import type { ListenAddress } from '../../src/config.ts';
import { readMemcachedCommand } from '../../src/config/memcached/read.ts';
import { everyAddress } from '../../src/config/address.ts';

function read(line: string, environment: NodeJS.ProcessEnv = {}) {
  const command = readMemcachedCommand(line === '' ? [] : line.split(' '), environment);
  if (command.kind !== 'serve') throw new Error(`not to serve: ${command.kind}`);
  return command;
}

function address(host: string, rest: Partial<ListenAddress> = {}): ListenAddress {
  return { host, port: undefined, security: undefined, ...rest };
}

const LOCAL = [address('127.0.0.1')];
const ONLY_LOCAL = "listening on 127.0.0.1 only, where memcached listens on every address; -l '*' does that";
const TLS = '-Z -o ssl_chain_cert=/c,ssl_key=/k';

describe("tugela-ts memcached's settings without options", () => {
  test("are serve's, but for sweeps inside the server and a quiet log", () => {
    const { settings, daemon } = read('');
    expect(settings.server).toMatchObject({
      port: 11_211,
      listen: LOCAL,
      udpPort: undefined,
      udpLongReplies: false,
      socket: undefined,
      file: './data',
      memory: 64,
      connections: 1024,
      expireEvery: 60,
      verbosity: 0,
    });
    expect(settings.process).toEqual({ withExpire: false, autoRepair: false, pidfile: undefined, user: undefined, logLevel: 'warn', logPretty: false });
    expect(settings.notices).toEqual([ONLY_LOCAL]);
    expect(daemon).toBe(false);
  });
});

describe('tugela-ts memcached listens', () => {
  test.each([
    ['-p 11212', { port: 11_212, udpPort: undefined, listen: LOCAL }],
    ['-p -1', { port: 0, udpPort: undefined, listen: LOCAL }],
    ['-p 0', { udpPort: undefined, listen: [] }],
    ['-p 0 -p 5', { port: 5, listen: LOCAL }],
    ['-U 11222', { port: 11_222, udpPort: 11_222 }],
    ['-U -1', { port: 0, udpPort: 0 }],
    ['-U 0', { port: 11_211, udpPort: undefined }],
    ['-p 11232 -U 11233', { port: 11_232, udpPort: 11_233 }],
    ['-p 11242 -U 0', { port: 11_242, udpPort: undefined }],
    ['-p -1 -U 11252', { port: 0, udpPort: 11_252 }],
    ['-p 11262 -U -1', { port: 11_262, udpPort: 0 }],
    ['-s /tmp/s', { socket: '/tmp/s', socketMode: 0o700, listen: [], udpPort: undefined }],
    ['-s /tmp/s -a 777 -p 5 -U 6 -l ::1', { socket: '/tmp/s', socketMode: 0o777, listen: [], udpPort: undefined }],
    ['-s /tmp/s -a 7', { socketMode: 0o007 }],
    ['-l ::1', { listen: [address('::1')] }],
    ['-l 127.0.0.1:5,[::1]:6 --listen=*', { listen: [address('127.0.0.1', { port: 5 }), address('::1', { port: 6 }), address(everyAddress())] }],
    [
      `${TLS} -l notls:127.0.0.1:5,127.0.0.1:6,mtls:127.0.0.1:7,btls:127.0.0.1:8`,
      {
        listen: [
          address('127.0.0.1', { port: 5, security: 'plain' }),
          address('127.0.0.1', { port: 6 }),
          address('127.0.0.1', { port: 7, security: 'mutual' }),
          address('127.0.0.1', { port: 8 }),
        ],
      },
    ],
  ])('%s', (line, expected) => {
    expect(read(line).settings.server).toMatchObject(expected);
  });
});

describe('tugela-ts memcached reads', () => {
  test.each([
    ['-m 256 -c 10 -R 1 -b 8675', { memory: 256, connections: 10, requestsPerEvent: 1, backlog: 8675 }],
    ['-m64m', { memory: 64 }],
    ['-M -C -F -X -W -A', { evictions: false, cas: false, flushAll: false, dumping: false, watching: false, shutdown: true }],
    ['-MCFXWA', { evictions: false, cas: false, flushAll: false, dumping: false, watching: false, shutdown: true }],
    ['-B ascii', { protocol: 'ascii' }],
    ['-B binary -B auto', { protocol: 'auto' }],
    ['-I 1024', { maxItemSize: 1024 }],
    ['-I 512k', { maxItemSize: 524_288 }],
    ['-m 256 -I 32M', { maxItemSize: 33_554_432 }],
    ['-m 2048 -I 1024m', { maxItemSize: 1_073_741_824 }],
    ['-m 2', { memory: 2, maxItemSize: 1_048_576 }],
    ['-D .', { prefixDelimiter: '.', detail: true }],
    ['-D ::', { prefixDelimiter: ':', detail: true }],
    ['-Y /a -U 0', { authFile: '/a', protocol: 'ascii' }],
    ['-v', { verbosity: 1 }],
    ['-vvv', { verbosity: 2 }],
    ['-v --verbose', { verbosity: 2 }],
    ['-o idle_timeout=3,track_sizes -o watcher_logbuf_size=8', { idleTimeout: 3, trackSizes: true, watcherBuffer: 8192 }],
    ['-e /mnt/mem', { file: '/mnt/mem' }],
    ['-e /mnt/mem --file /var/lib/t', { file: '/var/lib/t' }],
    ['--ack sync --sync 5 --control off --expire-every=7', { ack: 'sync', sync: 5, control: 'off', expireEvery: 7 }],
    ['--with-expire', { expireEvery: 0 }],
    ['--with-expire --expire-every 7', { expireEvery: 7 }],
    [
      '--port 5 --memory-limit=9 --conn-limit 3 --max-reqs-per-event 2 --listen-backlog 4 --disable-cas --enable-shutdown',
      { port: 5, memory: 9, connections: 3, requestsPerEvent: 2, backlog: 4, cas: false, shutdown: true },
    ],
    ['--udp-port 5 --protocol=binary --max-item-size=2m --disable-evictions', { udpPort: 5, protocol: 'binary', maxItemSize: 2_097_152, evictions: false }],
    ['--unix-socket /tmp/s --unix-mask 0700 --disable-dumping --disable-watch', { socket: '/tmp/s', dumping: false, watching: false }],
    ['--auth-file /a --memory-file /m --disable-flush-all', { authFile: '/a', file: '/m', flushAll: false }],
  ])('%s', (line, expected) => {
    expect(read(line).settings.server).toMatchObject(expected);
  });

  test.each([
    ['-P /run/t.pid -u root', { pidfile: '/run/t.pid', user: 'root' }],
    ['--pidfile=/run/t.pid --user me', { pidfile: '/run/t.pid', user: 'me' }],
    ['-vv', { logLevel: 'trace' }],
    ['--log-level info --log-pretty', { logLevel: 'info', logPretty: true }],
  ])('%s', (line, expected) => {
    expect(read(line).settings.process).toMatchObject(expected);
  });

  test.each(['-d', '--daemon', '-vd', '-dP /run/t.pid'])('%s as the wish to run in the background', (line) => {
    expect(read(line).daemon).toBe(true);
  });

  test.each([
    ['-h', 'help'],
    ['-p 5 --help', 'help'],
    ['-V', 'version'],
    ['--version', 'version'],
    ['-i', 'license'],
  ])('%s as a question', (line, kind) => {
    expect(readMemcachedCommand(line.split(' '), {})).toEqual({ kind });
  });

  test('SASL users from the file that the variable names', () => {
    expect(read('-S', { MEMCACHED_SASL_PWDB: '/s' }).settings.server).toMatchObject({ saslFile: '/s', protocol: 'binary' });
  });

  test('the file of ports from the variable, but for a unix socket', () => {
    const environment = { MEMCACHED_PORT_FILENAME: '/tmp/ports' };
    expect(read('-p 5', environment).settings.server.portFile).toBe('/tmp/ports');
    expect(read('-s /tmp/s', environment).settings.server.portFile).toBeUndefined();
  });

  test("Tugela's own options from the environment, and nothing else", () => {
    const environment = { TUGELA_FILE: '/env', TUGELA_PORT: '5', TUGELA_MEMORY: '5', TUGELA_LOG_LEVEL: 'info' };
    expect(read('-e /mem', environment).settings).toMatchObject({
      server: { file: '/env', port: 11_211, memory: 64 },
      process: { logLevel: 'info' },
    });
  });
});

describe('tugela-ts memcached sets up TLS', () => {
  test.each([
    [TLS, { cert: '/c', key: '/k', ca: undefined, verify: 'none', minVersion: 'TLSv1.2', sessionCache: false, writeBuffer: 16_384 }],
    ['-Z -o ssl_chain_cert=/c', { cert: '/c', key: '/c' }],
    [`${TLS} -o ssl_verify_mode=1`, { verify: 'request' }],
    [`${TLS} -o ssl_verify_mode=2 -o ssl_ca_cert=/ca`, { verify: 'require', ca: '/ca' }],
    [`${TLS} -o ssl_verify_mode=3`, { verify: 'require' }],
    [`${TLS} -o ssl_min_version=0`, { minVersion: 'TLSv1' }],
    [`${TLS} -o ssl_min_version=3,ssl_ciphers=HIGH:!aNULL`, { minVersion: 'TLSv1.3', ciphers: 'HIGH:!aNULL' }],
    [`${TLS} -o ssl_session_cache -o ssl_wbuf_size=64,ssl_keyformat=1`, { sessionCache: true, writeBuffer: 65_536 }],
    ['--enable-ssl --extended=ssl_chain_cert=/c', { cert: '/c' }],
  ])('%s', (line, expected) => {
    expect(read(line).settings.server.tls).toMatchObject(expected);
  });
});

describe('tugela-ts memcached gives notice of', () => {
  test.each([
    ['-l ::1', []],
    ['-s /tmp/s', []],
    ['-p 0', []],
    ['-l ::1 -t 4', ['-t has no effect here: all requests are executed by one thread']],
    ['-l ::1 -k', ['-k has no effect here: Node cannot lock memory; items are on disk anyway']],
    ['-l ::1 -L', ["-L has no effect here: memory comes from Node, in pages of the system's choice"]],
    [
      '-l ::1 -f 1.25 -n 48',
      ['-f has no effect here: items are not kept in chunks of fixed size', '-n has no effect here: items are not kept in chunks of fixed size'],
    ],
    ['-l ::1 -r', ["-r has no effect here: the shell's ulimit decides on core dumps"]],
    ['-l ::1 -N 2', ['-N has no effect here: all requests are executed by one thread']],
    ['-l ::1 -m 1g -I 1k', ["-m: '1g' is read as 1, as memcached reads it"]],
    ['-l ::1 now', ['not an option, and ignored as memcached ignores it: now']],
    ['-l ::1 -o ssl_key=/k', ['-o ssl_key: no effect without -Z']],
    ['-l ::1 -o maxconns_fast,idle_timeout=1', []],
    [
      '-l ::1 -o slab_chunk_max=1,no_lru_crawler,hashpower=20 -o modern,hot_lru_pct=20,no_hashexpand,tail_repair_time=0,no_inline_ascii_resp',
      [
        '-o slab_chunk_max, no_lru_crawler, hashpower, modern, hot_lru_pct, no_hashexpand, tail_repair_time, no_inline_ascii_resp: no effect here: they tune how memcached keeps items in memory; items are kept otherwise here',
      ],
    ],
    [
      '-l ::1 -o relaxed_privileges,no_drop_privileges',
      ['-o relaxed_privileges, no_drop_privileges: no effect here: the process has no system call filter; --user is what there is'],
    ],
    ['-l ::1 -o no_maxconns_fast', ['-o no_maxconns_fast: no effect here: connections over the limit are always told so and closed']],
    ['-l ::1 -o worker_logbuf_size=64', ['-o worker_logbuf_size: no effect here: all requests are executed by one thread']],
    ['-l ::1 -o ssl_kernel_tls', ['-o ssl_kernel_tls: no effect here: Node encrypts by itself']],
  ])('%s', (line, notices) => {
    expect(read(line).settings.notices).toEqual(notices);
  });
});

describe('tugela-ts memcached refuses', () => {
  test.each([
    ['-p http', "-p: 'http' is not a number"],
    ['-p 65536', "-p: '65536' is not a whole number from 0 to 65535"],
    ['-p -2', "-p: '-2' is not a whole number from 0 to 65535"],
    ['-p 0 -U 5', '-U: UDP is served on the addresses of TCP, and -p 0 leaves none'],
    ['-l 1.2.3', "-l: '1.2.3' is not a host name, an IPv4 or an IPv6 address, or * for all addresses"],
    ['-l none', '-l: none leaves nothing to listen on; give -s too'],
    ['-a 888', "-a: '888' is not an octal mode from 0 to 777"],
    ['-c 0', "-c: '0' is not a whole number from 1 to 1000000"],
    ['-c -1', "-c: '-1' is not a whole number from 1 to 1000000"],
    ['--conn-limit=0', "--conn-limit: '0' is not a whole number from 1 to 1000000"],
    ['-t 0', "-t: '0' is not a whole number from 1 to 1000000"],
    ['-R 0', "-R: '0' is not a whole number from 1 to 1000000"],
    ['-B http', "-B: 'http' is not one of auto, ascii, binary"],
    ['-I 1000', "-I: '1000' is not a size from 1k to 1024m (bytes, or a number with k or m)"],
    ['-m 4096 -I 1025m', "-I: '1025m' is not a size from 1k to 1024m (bytes, or a number with k or m)"],
    ['-I 256m', '-I: 256m is more than half of -m 64, the most that memcached allows'],
    ['-m 1', '-I: 1m, the default, is more than half of -m 1, the most that memcached allows'],
    ['-m 0', "-m: '0' is not a whole number from 1 to 1048576"],
    ['-Y /a -B binary', '-Y: clients of another protocol would come in without a password; -B must be ascii, not binary'],
    ['-Y /a -U 5', '-Y: there are no passwords over UDP; leave out -U'],
    ['-Z', '-Z: needs -o ssl_chain_cert and -o ssl_key'],
    [`-s /tmp/s ${TLS}`, '-Z: only TCP has TLS, and there is no TCP address'],
    [`-p 0 ${TLS}`, '-Z: only TCP has TLS, and there is no TCP address'],
    ['-l mtls:127.0.0.1:5', '-l: mtls:127.0.0.1:5 needs -Z'],
    ['-S', '-S: needs a file of user:password lines; name it in the variable MEMCACHED_SASL_PWDB'],
    ['-o', '-o: needs a value'],
    ['-o nonsense', '-o nonsense: there is no such option; see -h'],
    ['-o constructor', '-o constructor: there is no such option; see -h'],
    ['-o ext_path=/x:1g', '-o ext_path: there is no external storage to set up: every item is on disk'],
    ['-o proxy_config=/x', '-o proxy_config: there is no proxy'],
    ['-o idle_timeout', '-o idle_timeout: needs a value, as in idle_timeout=…'],
    ['-o watcher_logbuf_size=0', "-o watcher_logbuf_size: '0' is not a number of kilobytes above 0"],
    ['-o ssl_verify_mode=4', "-o ssl_verify_mode: '4' is not one of 0 to 3 (none, request, require, once)"],
    ['-o ssl_min_version=-1', "-o ssl_min_version: '-1' is not one of 0 to 3 (TLS 1.0, 1.1, 1.2, 1.3)"],
    ['-o ssl_keyformat=2', "-o ssl_keyformat: '2' is not 1 (PEM), the one format of keys that is read"],
    ['--with-expire -Y /a', '--with-expire: the daemon has no password for -Y; use --expire-every instead'],
    ['--with-expire -p 0', '--with-expire: the daemon needs an address; there is none'],
    [
      `--with-expire ${TLS}`,
      '--with-expire: the daemon is started without TLS; add -s, or -l notls:127.0.0.1 with a port of its own, or use --expire-every instead',
    ],
    ['--ack disk', "--ack: 'disk' is not one of memory, log, sync"],
  ])('%s', (line, message) => {
    expect(() => read(line)).toThrow(expect.objectContaining({ code: 'TUGELA_USAGE', message }));
  });

  test.each(['-S -B auto', '-S -B ascii', '-S -B binary -B ascii'])('%s', (line) => {
    expect(() => read(line, { MEMCACHED_SASL_PWDB: '/s' })).toThrow(/^-S: clients of another protocol .*; -B must be binary, not/);
  });

  test('SASL with UDP', () => {
    expect(() => read('-S -U 5', { MEMCACHED_SASL_PWDB: '/s' })).toThrow('-S: there are no passwords over UDP; leave out -U');
  });
});
