import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Opcode, Status } from '../../src/protocol/binary-header.ts';
import { BinaryClient, type Packet } from '../support/binary-client.ts';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { pem, pemPath } from '../support/tls-fixtures.ts';
import { RawClient } from '../wire/raw-client.ts';

/** All that nobody may find where others look: passwords that are, were, or never became valid. */
const SECRETS = {
  old: 'secret-of-the-first-file',
  new: 'secret-of-the-second-file',
  unread: 'secret-of-a-broken-file',
  mistyped: 'secret-that-somebody-mistyped',
  unsplit: 'secret-without-its-user',
  misplaced: 'secret-in-a-command-line',
} as const;

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

/** Puts a certificate and its key where the server reads them. */
function install(certificate: string, key = `${certificate}-key`): void {
  copyFileSync(pemPath(certificate), workspace.path('cert.pem'));
  copyFileSync(pemPath(key), workspace.path('key.pem'));
}

function writeUsers(content: string): void {
  writeFileSync(workspace.path('users'), content, { mode: 0o600 });
}

/** A server that logs all it ever logs, with TLS and the password `SECRETS.old`. */
async function serve(...args: string[]): Promise<ServerProcess> {
  install('server');
  writeUsers(`alice:${SECRETS.old}\n`);
  return workspace.serve({ args: ['-vv', '--tls', '--tls-cert', workspace.path('cert.pem'), '--tls-key', workspace.path('key.pem'), ...args] });
}

async function openTls(server: ServerProcess): Promise<TLSSocket> {
  const socket = connect({ port: server.port, host: '127.0.0.1', ca: pem('ca') });
  // Servers are killed behind their tests.
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** The name in the certificate that somebody is shown who connects now. */
async function certificateName(server: ServerProcess): Promise<unknown> {
  const socket = await openTls(server);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject['CN'];
}

/** The names of the secrets in a text. */
function leaked(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
}

describe('--auth-file and --tls', () => {
  const FAILURE = 'CLIENT_ERROR authentication failure';

  async function open(server: ServerProcess): Promise<RawClient> {
    return RawClient.over(await openTls(server));
  }

  /** A client that has authenticated. */
  async function enter(server: ServerProcess, password: string): Promise<RawClient> {
    const client = await open(server);
    expect(await client.set('login', `alice ${password}`)).toBe('STORED');
    return client;
  }

  async function tryPassword(server: ServerProcess, password: string): Promise<string> {
    return (await open(server)).set('login', `alice ${password}`);
  }

  it('SIGHUP puts a new password and a new certificate in the place of the old ones, and connections stay', async () => {
    const server = await serve('--auth-file', workspace.path('users'));
    const early = await enter(server, SECRETS.old);
    install('renewed');
    writeUsers(`alice:${SECRETS.new}\n`);
    expect(await tryPassword(server, SECRETS.new)).toBe(FAILURE);
    server.signal('SIGHUP');
    await server.logged('passwords read again');
    await server.logged('certificates read again');
    expect(await tryPassword(server, SECRETS.old)).toBe(FAILURE);
    expect(await (await enter(server, SECRETS.new)).set('a', 'x')).toBe('STORED');
    expect(await certificateName(server)).toBe('renewed server');
    expect(await early.text('a')).toBe('x');
  });

  it('SIGHUP with broken files changes nothing, and the log says that the old ones stay', async () => {
    const server = await serve('--auth-file', workspace.path('users'));
    const early = await enter(server, SECRETS.old);
    // Half of a renewal: the certificate without its key.
    install('renewed', 'server-key');
    writeUsers(`alice:${SECRETS.new}\n${SECRETS.unread}\n`);
    server.signal('SIGHUP');
    const passwords = await server.logged('passwords not read again, the old ones stay');
    expect(passwords).toMatchObject({ level: 50, err: { message: expect.stringContaining('line 2: no colon between user and password') as string } });
    const certificates = await server.logged('certificates not read again, the old ones stay');
    expect(certificates).toMatchObject({ level: 50, problem: expect.stringContaining(workspace.path('cert.pem')) as string });
    expect(await tryPassword(server, SECRETS.new)).toBe(FAILURE);
    expect(await (await enter(server, SECRETS.old)).set('a', 'x')).toBe('STORED');
    expect(await certificateName(server)).toBe('server');
    expect(await early.text('a')).toBe('x');
    expect(leaked(server.stderr)).toEqual([]);
  });

  it('no password is in the log at -vv, in watch or in stats, whatever was done with it', async () => {
    const server = await serve('--auth-file', workspace.path('users'));
    const watcher = await enter(server, SECRETS.old);
    expect(await watcher.ask('watch fetchers mutations deletions connevents evictions sysevents rawcmds')).toBe('OK');
    const client = await open(server);
    expect(await client.ask(`auth alice ${SECRETS.misplaced}`)).toBe('CLIENT_ERROR unauthenticated');
    expect(await client.ask(`get ${SECRETS.misplaced}`)).toBe('CLIENT_ERROR unauthenticated');
    expect(await client.set('login', `alice ${SECRETS.mistyped}`)).toBe(FAILURE);
    expect(await client.set('login', SECRETS.unsplit)).toBe('CLIENT_ERROR bad authentication token format');
    expect(await client.set('login', `alice ${SECRETS.old}`)).toBe('STORED');
    // Whoever authenticates twice stores an item.
    expect(await client.set('login', `alice ${SECRETS.old}`)).toBe('STORED');
    writeUsers(`alice:${SECRETS.new}\n`);
    server.signal('SIGHUP');
    await server.logged('passwords read again');
    const late = await enter(server, SECRETS.new);
    const seen = [...(await late.list('stats settings')), ...(await late.list('stats conns')), ...(await late.list('stats'))].join('\n');
    expect(seen).toContain(`STAT auth_enabled_ascii ${workspace.path('users')}`);
    expect(seen).toContain('STAT auth_errors 1');
    expect(leaked(seen)).toEqual([]);
    // What is done last is seen last, in either place.
    await late.set('the-last', 'x');
    await server.until(() => server.log.some((line) => line['msg'] === 'command' && String(line['keys']).includes('the-last')), 'the last command');
    const watched = (await watcher.take(Number.POSITIVE_INFINITY, (bytes) => /type=item_store key=the-last .*\n$/.test(bytes.toString('latin1')))).toString('latin1');
    expect(watched).toContain('type=item_store key=login');
    expect(leaked(watched)).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(leaked(server.stderr + server.stdout)).toEqual([]);
  });
});

describe('--enable-sasl and --tls', () => {
  const SASL_ARGS = (): string[] => ['--enable-sasl', '--sasl-file', workspace.path('users')];

  async function open(server: ServerProcess): Promise<BinaryClient> {
    return new BinaryClient(await openTls(server));
  }

  function plain(password: string, opcode: number = Opcode.saslAuth): Packet {
    return { opcode, key: 'PLAIN', value: `\0alice\0${password}` };
  }

  async function tryPassword(server: ServerProcess, password: string): Promise<number> {
    return (await (await open(server)).ask(plain(password))).status;
  }

  async function isServed(client: BinaryClient): Promise<boolean> {
    return (await client.ask({ opcode: Opcode.noop })).status === 0;
  }

  it('a new password counts at once and a new certificate after SIGHUP, and connections stay', async () => {
    const server = await serve(...SASL_ARGS());
    const early = await open(server);
    expect((await early.ask(plain(SECRETS.old))).status).toBe(0);
    install('renewed');
    writeUsers(`alice:${SECRETS.new}\n`);
    expect(await tryPassword(server, SECRETS.old)).toBe(Status.authError);
    expect(await tryPassword(server, SECRETS.new)).toBe(0);
    expect(await certificateName(server)).toBe('server');
    server.signal('SIGHUP');
    await server.logged('certificates read again');
    expect(await certificateName(server)).toBe('renewed server');
    expect(await tryPassword(server, SECRETS.new)).toBe(0);
    expect(await isServed(early)).toBe(true);
  });

  it('a broken file lets nobody in until it is mended, and those who are in stay', async () => {
    const server = await serve(...SASL_ARGS());
    const early = await open(server);
    expect((await early.ask(plain(SECRETS.old))).status).toBe(0);
    writeUsers(`alice:${SECRETS.new}\n${SECRETS.unread}\n`);
    expect(await tryPassword(server, SECRETS.old)).toBe(Status.authError);
    expect(await tryPassword(server, SECRETS.new)).toBe(Status.authError);
    await server.logged(`Cannot use password file ${workspace.path('users')}: line 2: no colon between user and password`);
    expect(await isServed(early)).toBe(true);
    writeUsers(`alice:${SECRETS.new}\n`);
    expect(await tryPassword(server, SECRETS.new)).toBe(0);
    expect(leaked(server.stderr)).toEqual([]);
  });

  it('no password is in the log at -vv or in stats, whatever was done with it', async () => {
    const server = await serve(...SASL_ARGS());
    const client = await open(server);
    const wrong = [
      plain(SECRETS.mistyped),
      { opcode: Opcode.saslAuth, key: 'PLAIN', value: SECRETS.unsplit },
      plain(SECRETS.old, Opcode.saslStep),
    ];
    for (const request of wrong) expect((await client.ask(request)).status).toBe(Status.authError);
    expect((await client.ask(plain(SECRETS.old))).status).toBe(0);
    const seen: string[] = [];
    for (const key of ['settings', 'conns', '']) {
      client.send({ opcode: Opcode.stat, key });
      for (let reply = await client.take(); reply.key !== ''; reply = await client.take()) seen.push(`${reply.key} ${reply.value.toString()}`);
    }
    expect(seen).toContain('auth_enabled_sasl yes');
    expect(seen).toContain('auth_errors 3');
    expect(leaked(seen.join('\n'))).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(server.log.filter(({ msg }) => msg === 'command').length).toBeGreaterThan(4);
    expect(leaked(server.stderr + server.stdout)).toEqual([]);
  });
});
