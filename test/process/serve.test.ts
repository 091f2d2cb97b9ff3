import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, isAlive, type ServerProcess, within, Workspace } from '../support/process.ts';
import { pemPath } from '../support/tls-fixtures.ts';
import { withUmask } from '../support/umask.ts';
import { RawClient } from '../wire/raw-client.ts';

const TLS = ['--tls', '--tls-cert', pemPath('server'), '--tls-key', pemPath('server-key')];

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

describe('where it listens', () => {
  it('--port 0 takes a free port and prints it', async () => {
    const server = await workspace.serve();
    expect(server.stdout).toMatch(/^listening on 127\.0\.0\.1:\d+\n$/);
    const client = await RawClient.connect(server.port);
    expect(await client.ask('version')).toMatch(/^VERSION /);
    expect((await client.stats('settings')).get('tcpport')).toBeDefined();
  });

  it('several -l listen on the same port each', async () => {
    const server = await workspace.serve({ args: ['-l', '127.0.0.1', '-l', '127.0.0.2'], addresses: 2 });
    expect(server.addresses).toEqual([`127.0.0.1:${server.port}`, `127.0.0.2:${server.port}`]);
    const one = await RawClient.connect(server.port);
    const two = await RawClient.connect({ host: '127.0.0.2', port: server.port });
    await one.set('a', 'x');
    expect(await two.text('a')).toBe('x');
    expect((await one.list('stats conns')).filter((line) => line.endsWith('conn_listening'))).toHaveLength(2);
  });

  it.each([
    ['the default', [], undefined],
    ['an address beyond this machine', ['-l', '0.0.0.0'], 'neither a password nor TLS'],
    ['such an address with TLS', ['-l', '0.0.0.0', ...TLS], 'keeps nobody out'],
    ['one with mtls:', ['-l', 'mtls:0.0.0.0', ...TLS, '--tls-ca', pemPath('ca')], undefined],
    ['one with --tls-verify require', ['-l', '0.0.0.0', ...TLS, '--tls-ca', pemPath('ca'), '--tls-verify', 'require'], undefined],
  ] as const)('warns at the start of who may come by an address that is not protected: %s', async (_what, args, warning) => {
    const server = await workspace.serve({ args });
    expect(await server.stop()).toBe(0);
    const warnings = server.log.filter(({ msg }) => String(msg).includes('whoever reaches')).map(({ level, msg }) => [level, msg]);
    const expected = warning === undefined ? [] : [[40, expect.stringMatching(new RegExp(`^0\\.0\\.0\\.0:\\d+: .*${warning}`))]];
    expect(warnings).toEqual(expected);
  });

  it('a unix socket with its mode, alone and gone after the end', async () => {
    const path = workspace.path('socket');
    const server = await workspace.serve({ args: ['--listen', 'none', '--socket', path, '--socket-mode', '0666'] });
    expect(server.addresses).toEqual([`unix:${path}`]);
    expect(statSync(path).mode & 0o777).toBe(0o666);
    const client = await RawClient.connect(path);
    expect(await client.set('a', 'x')).toBe('STORED');
    expect((await client.stats('settings')).get('domain_socket')).toBe(path);
    expect(await server.stop()).toBe(0);
    expect(readdirSync(workspace.directory)).not.toContain('socket');
  });

  it('takes over the socket file that a killed server left, not that of a living one', async () => {
    const path = workspace.path('socket');
    const first = await workspace.serve({ args: ['--socket', path], addresses: 2 });
    const second = await workspace.run(['serve', '--port', '0', '--socket', path, '--file', workspace.path('other')]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`Cannot listen on ${path}: another process listens there`);
    await first.kill();
    const third = await workspace.serve({ args: ['--socket', path], addresses: 2 });
    const client = await RawClient.connect(path);
    expect(await client.ask('mn')).toBe('MN');
    expect(await third.stop()).toBe(0);
  });

  it('a port in use is an error that names it', async () => {
    const server = await workspace.serve();
    const other = await workspace.run(['serve', '--port', String(server.port), '--file', workspace.path('other')]);
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(new RegExp(`^tugela-ts: Cannot listen on 127\\.0\\.0\\.1:${server.port}: the address is in use`, 'm'));
    expect(readdirSync(workspace.directory)).not.toContain('other');
  });
});

describe('limits', () => {
  it('-c: a connection too many is told so and closed, and can come again later', async () => {
    const server = await workspace.serve({ args: ['-c', '2'] });
    const one = await RawClient.connect(server.port);
    const two = await RawClient.connect(server.port);
    await one.ask('mn');
    await two.ask('mn');
    const three = await RawClient.connect(server.port);
    expect(await three.line()).toBe('ERROR Too many open connections');
    expect(await three.line()).toBeUndefined();
    expect(await one.stat('rejected_connections')).toBe(1);
    expect(await one.stat('curr_connections')).toBe(2);
    expect(await one.stat('max_connections')).toBe(2);
    two.close();
    await eventually(async () => (await one.stat('curr_connections')) === 1, 'the closed connection is gone');
    const four = await RawClient.connect(server.port);
    expect(await four.ask('mn')).toBe('MN');
  });

  it('-I: larger items are possible, and an out of bounds limit is refused', async () => {
    const server = await workspace.serve({ args: ['-I', '3m'] });
    const client = await RawClient.connect(server.port);
    const value = Buffer.alloc(3_000_000, 'abc');
    expect(await client.set('big', value)).toBe('STORED');
    expect((await client.get('big'))?.value.equals(value)).toBe(true);
    expect(await client.set('big', Buffer.alloc(3_200_000))).toBe('SERVER_ERROR object too large for cache');
    expect(await client.get('big')).toBeUndefined();
    const refused = await workspace.run(['serve', '-I', '1', '--file', workspace.path('other')]);
    expect(refused.code).toBe(2);
  });
});

describe('configuration', () => {
  it('the command line wins over the environment, the environment over the file', async () => {
    const file = workspace.path('config.json');
    writeFileSync(file, JSON.stringify({ memory: 5, connections: 55, maxItemSize: '5k', sync: 5, diskLimit: '128m' }));
    const server = await workspace.serve({
      args: ['--config', file, '-m', '7'],
      environment: { TUGELA_MEMORY: '6', TUGELA_CONNECTIONS: '66' },
    });
    const settings = await (await RawClient.connect(server.port)).stats('settings');
    expect(settings.get('maxbytes')).toBe(String(7 * 2 ** 20));
    expect(settings.get('maxconns')).toBe('66');
    expect(settings.get('item_size_max')).toBe('5120');
    expect(settings.get('sync_interval')).toBe('5');
    expect(settings.get('disk_limit')).toBe(String(128 * 2 ** 20));
    expect(settings.get('ack')).toBe('log');
  });

  it('TUGELA_CONFIG names the file too', async () => {
    const file = workspace.path('config.json');
    writeFileSync(file, JSON.stringify({ port: 0, file: workspace.path('from-config') }));
    const program = workspace.start(['serve'], { TUGELA_CONFIG: file });
    await program.until(() => program.stdout.includes('listening on'), 'listening line');
    expect(readdirSync(workspace.path('from-config'))).toContain('TUGELA');
  });

  it('a mistake in any place is an error with exit status 2', async () => {
    const file = workspace.path('config.json');
    writeFileSync(file, JSON.stringify({ memory: 'much' }));
    const runs = await Promise.all([
      workspace.run(['serve', '--memory', 'much']),
      workspace.run(['serve'], { TUGELA_MEMORY: 'much' }),
      workspace.run(['serve', '--config', file]),
      workspace.run(['serve', '--nonsense']),
    ]);
    expect(runs.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
  });
});

describe('what other users of the machine may read', () => {
  it.each(['000', '022', '077'])('is nothing of the store, whatever the umask: %s', async (mask) => {
    const server = await withUmask(Number.parseInt(mask, 8), async () => await workspace.serve({ directory: 'a/data' }));
    const client = await RawClient.connect(server.port);
    await client.set('small', 'x');
    await client.set('large', 'x'.repeat(1000));
    expect(await server.stop()).toBe(0);
    const directory = workspace.path('a/data');
    expect(modeOf(directory)).toBe('700');
    const modes = new Map(readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => [name, modeOf(join(directory, name))]));
    expect(modes.get('values')).toBe('700');
    modes.delete('values');
    expect([...modes.keys()]).toEqual(expect.arrayContaining(['CURRENT', 'TUGELA', 'values/000001.values']));
    expect([...modes].filter(([, mode]) => mode !== '600')).toEqual([]);
    expect(server.log.filter(({ msg }) => String(msg).includes('open to every user'))).toEqual([]);
  });

  it.each(['000', '022', '077'])('is the process id and the ports, whatever the umask: %s', async (mask) => {
    const [pid, ports] = [workspace.path('pid'), workspace.path('ports')];
    const server = await withUmask(Number.parseInt(mask, 8), async () => await workspace.serve({ args: ['-P', pid], environment: { MEMCACHED_PORT_FILENAME: ports } }));
    expect([modeOf(pid), modeOf(ports)]).toEqual(['644', '644']);
    expect(await server.stop()).toBe(0);
  });

  it('is warned of where the directory of the store was open to them before, and it stays so', async () => {
    const directory = workspace.path('data');
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    const server = await workspace.serve();
    expect(await server.stop()).toBe(0);
    const warnings = server.log.filter(({ msg }) => String(msg).includes('open to every user')).map(({ level, msg }) => [level, msg]);
    expect(warnings).toEqual([[40, `store directory ${directory} is open to every user of this machine`]]);
    expect(modeOf(directory)).toBe('755');
  });
});

describe('the process id file', () => {
  it('holds the process id while the server runs', async () => {
    const path = workspace.path('pid');
    const server = await workspace.serve({ args: ['-P', path] });
    await eventually(async () => await Promise.resolve(readdirSync(workspace.directory).includes('pid')), 'pidfile');
    expect(readFileSync(path, 'utf8')).toBe(`${server.pid}\n`);
    expect(await (await RawClient.connect(server.port)).stat('pid')).toBe(server.pid);
    const second = await workspace.run(['serve', '--port', '0', '-P', path, '--file', workspace.path('other')]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(String(server.pid));
    expect(await server.stop()).toBe(0);
    expect(readdirSync(workspace.directory)).not.toContain('pid');
  });
});

describe('directories', () => {
  it('a second server on the same directory is told the directory and the process', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    await client.set('a', 'x');
    const second = await workspace.run(['serve', '--port', '0', '--file', workspace.path('data')]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^tugela-ts: /m);
    expect(second.stderr).toContain(workspace.path('data'));
    expect(second.stderr).toContain(String(server.pid));
    expect(second.stdout).toBe('');
    expect(await client.text('a')).toBe('x');
    expect(await client.set('b', 'y')).toBe('STORED');
  });

  it.each([
    ['that is not ours', { 'thesis.txt': 'do not lose' }, 'not a tugela-ts store'],
    ['of a plain LevelDB', { CURRENT: 'MANIFEST-000002\n', LOCK: '', '000005.ldb': 'x' }, 'not a tugela-ts store'],
    ['from a newer format', { TUGELA: 'tugela-ts store\nformat 99\n', CURRENT: 'x' }, 'format 99'],
    ['with a format file that is not ours', { TUGELA: 'a river in South Africa\n' }, 'not readable as ours'],
  ])('a directory %s is refused and left untouched', async (_name, files, message) => {
    const directory = workspace.path('data');
    mkdirSync(directory);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    const before = contentOf(directory);
    const served = await workspace.run(['serve', '--port', '0', '--file', directory]);
    const swept = await workspace.run(['expire', '--file', directory]);
    for (const { code, stderr } of [served, swept]) {
      expect(code).toBe(1);
      expect(stderr).toContain(directory);
      expect(stderr).toContain(message);
    }
    expect(contentOf(directory)).toEqual(before);
  });
});

describe('the end', () => {
  it('SIGTERM finishes requests in hand and exits 0', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    const value = 'v'.repeat(50_000);
    const count = 200;
    client.send(Array.from({ length: count }, (_, i) => `set k${i} 0 0 ${value.length}\r\n${value}\r\n`).join(''));
    expect(await client.line()).toBe('STORED');
    const ended = server.stop();
    let stored = 1;
    while ((await client.line()) === 'STORED') stored++;
    expect(await ended).toBe(0);
    const next = await RawClient.connect((await workspace.serve()).port);
    const found = await next.getMany(...Array.from({ length: count }, (_, i) => `k${i}`));
    expect(found.length).toBeGreaterThanOrEqual(stored);
    expect(found.every((item) => item.value.length === value.length)).toBe(true);
  });

  it('SIGINT ends as SIGTERM does, idle connections or not', async () => {
    const server = await workspace.serve();
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(server.port)));
    await Promise.all(clients.map((client) => client.ask('mn')));
    expect(await server.stop('SIGINT')).toBe(0);
    await within(Promise.all(clients.map((client) => client.ended)), () => 'connections stay open');
  });

  it('a connection that quits behind much else is gone afterwards', async () => {
    const server = await workspace.serve();
    const other = await RawClient.connect(server.port);
    const client = await RawClient.connect(server.port);
    const value = 'v'.repeat(10_000);
    client.send(`${`set k 0 0 ${value.length}\r\n${value}\r\n`.repeat(100)}quit\r\n${'mn\r\n'.repeat(100_000)}`);
    for (let i = 0; i < 100; i++) expect(await client.line()).toBe('STORED');
    expect(await client.line()).toBeUndefined();
    await eventually(async () => (await other.stat('curr_connections')) === 1, 'the connection is gone');
  });

  it('a second signal forces the end of a stop that takes long', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    // Who does not read keeps the server waiting for as long as it is willing to.
    await client.set('big', Buffer.alloc(1_000_000));
    client.socket.pause();
    client.send('get big\r\n'.repeat(40));
    const other = await RawClient.connect(server.port);
    await eventually(async () => (await other.stat('get_hits')) > 0, 'much is under way');
    server.signal('SIGTERM');
    await server.logged('SIGTERM, stopping');
    const startedMs = performance.now();
    server.signal('SIGTERM');
    const { code } = await within(server.ended, () => 'server goes on');
    expect(code).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(3000);
  });

  it('a client that reads nothing does not keep it for ever', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    await client.set('big', Buffer.alloc(1_000_000));
    client.socket.pause();
    client.send('get big\r\n'.repeat(40));
    const other = await RawClient.connect(server.port);
    await eventually(async () => (await other.stat('get_hits')) > 0, 'much is under way');
    expect(await server.stop()).toBe(0);
  });
});

describe('--with-expire', () => {
  it('runs a daemon that is started again when it is killed, and ends with the server', async () => {
    const server = await workspace.serve({ args: ['--with-expire'] });
    const first = await daemonOf(server);
    process.kill(first, 'SIGKILL');
    const second = await daemonOf(server, first);
    expect(isAlive(second)).toBe(true);
    expect(await server.stop()).toBe(0);
    expect(isAlive(second)).toBe(false);
  });

  it('the daemon ends also when the server is killed', async () => {
    const server = await workspace.serve({ args: ['--with-expire'] });
    const child = await daemonOf(server);
    server.signal('SIGKILL');
    await eventually(async () => await Promise.resolve(!isAlive(child)), 'the daemon ends');
  });

  it('expires what is due', async () => {
    const server = await workspace.serve({ args: ['--with-expire'] });
    const client = await RawClient.connect(server.port);
    for (let i = 0; i < 50; i++) await client.set(`k${i}`, 'x', 0, 1);
    await client.set('kept', 'x');
    await eventually(async () => (await client.stat('items', 'storage')) === 1, 'items go from disk');
    await eventually(async () => (await client.stat('items_expired', 'expire')) === 50, 'the daemon reports');
  });
});

describe('logs', () => {
  const KEY = 'marker-of-a-key';
  const VALUE = 'marker-of-a-value';

  it.each([
    ['plain', []],
    ['-v', ['-v']],
    ['-vv', ['-vv']],
  ])('%s: never a value, keys only at -vv', async (_name, args) => {
    const server = await workspace.serve({ args });
    const client = await RawClient.connect(server.port);
    await client.set(KEY, VALUE, 0, 1000);
    await client.get(KEY);
    await client.store('append', KEY, VALUE);
    await client.ask(`incr ${KEY} 1`);
    await client.ask(`touch ${KEY} 5`);
    await client.ask(`bogus ${KEY}`);
    client.send(`set ${KEY} 0 0 2\r\n${VALUE}\r\n`);
    await client.line();
    await client.line();
    await client.ask(`delete ${KEY}`);
    client.close();
    expect(await server.stop()).toBe(0);
    const output = server.stderr + server.stdout;
    expect(output).not.toContain(VALUE);
    if (!args.includes('-vv')) expect(output).not.toContain(KEY);
    const serving = server.log.find(({ msg }) => msg === 'serving');
    expect(serving).toMatchObject({ pid: server.pid, addresses: server.addresses, directory: workspace.path('data'), items: 0 });
    expect(serving).toHaveProperty('openMs');
    expect(serving).toHaveProperty('version');
    expect(serving).toHaveProperty('bytes');
    expect(server.log.some(({ msg }) => msg === 'connected')).toBe(args.includes('-vv'));
  });
});

/** Process id of the daemon once it runs: not `former`, which ran before. */
async function daemonOf(server: ServerProcess, former?: number): Promise<number> {
  const line = await server.until(() => server.log.find(({ name, pid }) => name === 'tugela-expire' && pid !== former), 'a line of the daemon');
  return Number(line['pid']);
}

/** Permissions of a file, in octal. */
function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8).padStart(3, '0');
}

/** Names and bytes of all files in a directory. */
function contentOf(directory: string): Record<string, string> {
  return Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'latin1')]));
}
