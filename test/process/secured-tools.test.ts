import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type Program, type ServerProcess, Workspace } from '../support/process.ts';
import { pem, pemPath } from '../support/tls-fixtures.ts';
import { RawClient } from '../wire/raw-client.ts';

const SECRET = 'secret-of-alice';
const TLS = ['--tls', '--tls-ca', pemPath('ca'), '--tls-cert', pemPath('client'), '--tls-key', pemPath('client-key')];

let workspace: Workspace;
let clients: RawClient[];

beforeEach(() => {
  workspace = new Workspace();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await workspace.close();
});

/** Writes a password file, for a server or a client. */
function passwordFile(name: string, content = `alice:${SECRET}\n`): string {
  const path = workspace.path(name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** A server that lets in who has a certificate and the password alone. */
function serve(args: readonly string[] = [], withoutPort = false): Promise<ServerProcess> {
  const tls = ['--tls', '--tls-cert', pemPath('server'), '--tls-key', pemPath('server-key'), '--tls-verify', 'require', '--tls-ca', pemPath('ca')];
  return workspace.serve({ args: [...tls, '--auth-file', passwordFile('users'), ...args], withoutPort });
}

async function open(server: ServerProcess, password = SECRET): Promise<RawClient> {
  const socket = connect({ port: server.port, host: '127.0.0.1', ca: pem('ca'), cert: pem('client'), key: pem('client-key') });
  await once(socket, 'secureConnect');
  const client = RawClient.over(socket);
  clients.push(client);
  expect(await client.set('login', `alice ${password}`)).toBe('STORED');
  return client;
}

describe('a server with a password and TLS', () => {
  let server: ServerProcess;
  let client: RawClient;
  let access: string[];
  beforeEach(async () => {
    server = await serve();
    client = await open(server);
    access = ['-P', String(server.port), '--password-file', passwordFile('mine'), ...TLS];
  });

  async function run(...args: string[]): Promise<Program> {
    const program = await workspace.run(args);
    expect(program.code, program.stderr).toBe(0);
    return program;
  }

  it('lets keys, top and delete in', async () => {
    for (let i = 0; i < 3; i++) await client.set(`a${i}`, `value ${i}`);
    await client.set('b', 'other');
    expect((await run('keys', ...access, '--raw')).stdout).toBe('a0\na1\na2\nb\n');
    expect((await run('keys', ...access, '--values', '-p', 'a1')).stdout).toMatch(/^a1\t7\t-\t\d+\tvalue 1\n$/);
    expect(JSON.parse((await run('top', ...access, '--json', '-i', '0.1')).stdout)).toHaveProperty('items', 4);
    expect((await run('delete', ...access, '-p', 'a', '--wait')).stdout).toMatch(/^deleted 3 items/);
    expect(await client.stat('curr_items')).toBe(1);
  });

  it('lets dumps out and in', async () => {
    const big = 'x'.repeat(300_000);
    await client.set('a', big, 7);
    const dump = (await run('store', 'dump', ...access)).stdout;
    await run('backup', workspace.path('file.dump'), ...access);
    const stranger = await Promise.all([
      workspace.run(['restore', workspace.path('file.dump'), '-P', String(server.port), ...TLS]),
      workspace.run(['store', 'dump', '-P', String(server.port), ...TLS]),
    ]);
    expect(stranger.map(({ code }) => code)).toEqual([1, 1]);
    for (const { stderr } of stranger) expect(stderr).toMatch(/give (it|the password) with --password-file/);
    for (const [command, input] of [[['store', 'load', ...access], dump], [['restore', workspace.path('file.dump'), ...access], '']] as const) {
      await client.ask('delete a');
      const program = workspace.start(command);
      program.child.stdin?.end(Buffer.from(input, 'latin1'));
      expect((await program.ended).code, program.stderr).toBe(0);
      expect(await client.get('a')).toMatchObject({ flags: 7, value: Buffer.from(big) });
    }
  });

  it('lets sweeps in', async () => {
    await client.set('old', 'x', 0, 1);
    await client.set('kept', 'x');
    await eventually(async () => (await client.get('old')) === undefined, 'expiry');
    const { stdout } = await run('expire', '--once', '--json', ...access);
    expect(JSON.parse(stdout)).toMatchObject({ expired: 1 });
    expect(await client.stat('items', 'storage')).toBe(1);
  });

  it('turns away who has none of it, or the wrong one, and nothing tells the password', async () => {
    const port = ['-P', String(server.port)];
    const wrong = passwordFile('wrong', `alice:${SECRET}-mistyped\n`);
    const open = passwordFile('open');
    writeFileSync(open, '', { mode: 0o600 });
    const runs = await Promise.all([
      workspace.run(['keys', ...port, ...TLS]),
      workspace.run(['keys', ...port, ...TLS, '--password-file', wrong]),
      workspace.run(['store', 'dump', ...port, ...TLS, '--password-file', wrong]),
      workspace.run(['expire', '--once', ...port, ...TLS, '--password-file', wrong]),
      workspace.run(['expire', ...port, ...TLS, '--password-file', open]),
      workspace.run(['keys', ...port, '--tls', '--password-file', wrong]),
    ]);
    expect(runs.map(({ code }) => code)).toEqual(runs.map(() => 1));
    const said = runs.map(({ stderr }) => stderr);
    expect(said[0]).toContain('asks for a password: give it with --password-file');
    for (const each of said.slice(1, 4)) expect(each).toContain('does not let this user in: CLIENT_ERROR authentication failure');
    expect(said[4]).toContain(`Cannot use password file ${open}`);
    expect(said[5]).toMatch(/unable to verify|self.signed|certificate/);
    expect(runs.map(({ stdout }) => stdout).join('') + said.join('')).not.toContain(SECRET);
  });
});

describe('the daemon', () => {
  it('reads its password again when it connects again', async () => {
    const first = await serve();
    const mine = passwordFile('mine');
    const daemon = workspace.start(['expire', '-P', String(first.port), '--no-stats', '--password-file', mine, ...TLS]);
    await daemon.logged('expiry daemon started');
    const watcher = await open(first);
    await eventually(async () => (await watcher.stats('expire')).has('sweeps'), 'the daemon reports');
    expect(await first.stop()).toBe(0);
    await daemon.logged('server unreachable, trying again');
    const users = passwordFile('new-users', 'alice:another\n');
    passwordFile('mine', 'alice:another\n');
    const second = await serve(['--port', String(first.port), '--auth-file', users], true);
    await daemon.logged('server reachable');
    const client = await open(second, 'another');
    await client.set('old', 'x', 0, 1);
    await eventually(async () => (await client.stat('items', 'storage')) === 0, 'the daemon sweeps');
    expect(await daemon.stop()).toBe(0);
  });
});

describe('a server without a password', () => {
  it('is not sent the one there is: it would become an item', async () => {
    const server = await workspace.serve();
    const keys = await workspace.run(['keys', '-P', String(server.port), '--password-file', passwordFile('mine')]);
    expect([keys.code, keys.stdout]).toEqual([0, '']);
    const client = await RawClient.connect(server.port);
    clients.push(client);
    expect([await client.stat('cmd_set'), await client.stat('total_items')]).toEqual([0, 0]);
  });
});

describe('options that do not go together', () => {
  it.each([
    [['keys', '--tls-ca', 'ca.pem'], '--tls-ca needs --tls'],
    [['top', '--tls', '--tls-cert', 'cert.pem'], '--tls-cert and --tls-key need each other'],
    [['expire', '--tls', '--socket', '/run/socket'], '--tls and --socket exclude each other'],
    [['expire', '--file', 'data', '--password-file', 'mine'], '--file excludes passwords and TLS'],
    [['store', 'dump', 'data', '--tls'], 'a password and TLS are for a running server'],
    [['restore', 'file', 'data', '--password-file', 'mine'], 'a password and TLS are for a running server'],
    [['keys', '--password', 'secret'], "unknown option '--password'"],
  ])('%j', async (args, message) => {
    const { code, stderr } = await workspace.run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
