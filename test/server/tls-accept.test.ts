import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TlsConfig } from '../../src/config.ts';
import { createTlsAcceptor, type TlsCounts } from '../../src/server/tls-accept.ts';
import { TlsFiles } from '../../src/server/tls-files.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { pem, pemPath, tlsConfig } from '../support/tls-fixtures.ts';

const CLIENT = { cert: pem('client'), key: pem('client-key') };
const STRANGER = { cert: pem('stranger'), key: pem('stranger-key') };

interface Listening {
  readonly port: number;
  readonly counts: TlsCounts;
  readonly files: TlsFiles;
  /** Peers whose handshake is done. */
  readonly accepted: Socket[];
  /** Resolves when a handshake has failed. */
  readonly failed: () => Promise<void>;
}

/** An acceptor whose connections send back what they get, and end when their client does. */
async function listen(
  change: Partial<TlsConfig> = {},
  { mutual = false, handshakes = 10, handshakeMs = 5000, files = new TlsFiles(tlsConfig(change)) } = {},
): Promise<Listening> {
  await files.load();
  const counts = { handshakeErrors: 0, protocolErrors: 0, newSessions: 0 };
  const accepted: Socket[] = [];
  const server = createTlsAcceptor(files, { mutual, handshakes, handshakeMs, counts, logger: pino({ level: 'silent' }) }, (socket, setReader) => {
    accepted.push(socket);
    socket.on('end', () => socket.end('bye'));
    setReader((bytes, length) => {
      socket.write(Buffer.from(bytes.subarray(0, length)));
      return true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const failed = async (): Promise<void> => {
    while (counts.handshakeErrors === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  return { port: (server.address() as AddressInfo).port, counts, files, accepted, failed };
}

function open(port: number, options: ConnectionOptions = {}): TLSSocket {
  // Node's types do not know allowHalfOpen here.
  const all: ConnectionOptions & { allowHalfOpen: boolean } = { port, host: '127.0.0.1', ca: pem('ca'), allowHalfOpen: true, ...options };
  const socket = connect(all);
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** What the server sends back for a text, or what ended the connection. */
async function echo(socket: Socket, text = 'hello'): Promise<string> {
  socket.write(text);
  return await new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('end', () => resolve('ended'));
    socket.once('close', () => resolve('closed'));
  });
}

function nameOf(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject['CN']);
}

/** The session that a server offers for resumption, or undefined when it offers none until it answers. */
async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer | undefined> {
  const socket = open(port, options);
  let session: Buffer | undefined;
  socket.on('session', (offered: Buffer) => {
    session = offered;
  });
  await echo(socket);
  socket.destroy();
  return session;
}

describe('createTlsAcceptor()', () => {
  it('passes on what comes over a connection after its handshake', async () => {
    const { port, accepted, counts } = await listen();
    const client = open(port);
    expect(await echo(client)).toBe('hello');
    expect(client.authorized).toBe(true);
    expect(nameOf(client)).toBe('server');
    expect(accepted).toHaveLength(1);
    expect(accepted[0]?.remotePort).toBe(client.localPort);
    expect(counts).toEqual({ handshakeErrors: 0, protocolErrors: 0, newSessions: 0 });
  });

  it('lets a connection answer after its client has ended', async () => {
    const { port } = await listen();
    const client = open(port);
    await once(client, 'secureConnect');
    client.end();
    const [bye] = (await once(client, 'data')) as [Buffer];
    expect(bye.toString()).toBe('bye');
  });

  it('stops reading when the reader asks for it', async () => {
    const files = new TlsFiles(tlsConfig());
    await files.load();
    const counts = { handshakeErrors: 0, protocolErrors: 0, newSessions: 0 };
    const seen = new Promise<Socket>((resolve) => {
      const server = createTlsAcceptor(files, { mutual: false, handshakes: 1, counts, logger: pino({ level: 'silent' }) }, (socket, setReader) => {
        setReader(() => {
          resolve(socket);
          return false;
        });
      });
      server.listen(0, '127.0.0.1', () => open((server.address() as AddressInfo).port).write('x'));
      onTestFinished(() => {
        server.close();
      });
    });
    const socket = await seen;
    expect(socket.isPaused()).toBe(true);
    socket.destroy();
  });

  it('counts a client that speaks no TLS, and never passes it on', async () => {
    const { port, counts, accepted, failed } = await listen();
    const client = connectPlain(port, '127.0.0.1');
    onTestFinished(() => {
      client.destroy();
    });
    await echo(client, 'version\r\n');
    await failed();
    expect(counts).toEqual({ handshakeErrors: 1, protocolErrors: 1, newSessions: 0 });
    expect(accepted).toHaveLength(0);
  });

  it('counts a client that leaves in its handshake', async () => {
    const { port, counts, failed } = await listen();
    const client = connectPlain(port, '127.0.0.1');
    await once(client, 'connect');
    client.destroy();
    await failed();
    expect(counts).toMatchObject({ handshakeErrors: 1, protocolErrors: 0 });
  });

  it('ends a handshake that takes too long', async () => {
    const { port, failed } = await listen({}, { handshakeMs: 20 });
    const client = connectPlain(port, '127.0.0.1');
    client.resume();
    await Promise.all([once(client, 'close'), failed()]);
  });

  it('drops clients while too many are in their handshake, but not because of those that are done', async () => {
    const { port, counts } = await listen({}, { handshakes: 2 });
    for (let i = 0; i < 4; i++) expect(await echo(open(port))).toBe('hello');
    const waiting = [connectPlain(port, '127.0.0.1'), connectPlain(port, '127.0.0.1')];
    await Promise.all(waiting.map((socket) => once(socket, 'connect')));
    expect(await echo(open(port))).not.toBe('hello');
    expect(counts.handshakeErrors).toBe(1);
    for (const socket of waiting) socket.destroy();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s by default', async (version) => {
    const { port } = await listen();
    const client = open(port, { minVersion: version, maxVersion: version });
    expect(await echo(client)).toBe('hello');
    expect(client.getProtocol()).toBe(version);
  });

  it('refuses versions below the least', async () => {
    const { port, counts, failed } = await listen({ minVersion: 'TLSv1.3' });
    expect(await echo(open(port, { maxVersion: 'TLSv1.2' }))).not.toBe('hello');
    await failed();
    expect(counts).toMatchObject({ handshakeErrors: 1, protocolErrors: 1 });
    expect(await echo(open(port))).toBe('hello');
  });

  it('speaks old versions when it is told to', async () => {
    const { port } = await listen({ minVersion: 'TLSv1' });
    const client = open(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' });
    expect(await echo(client)).toBe('hello');
    expect(client.getProtocol()).toBe('TLSv1');
  });

  it('offers the ciphers that are allowed', async () => {
    const { port } = await listen({ ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
    const client = open(port, { maxVersion: 'TLSv1.2' });
    expect(await echo(client)).toBe('hello');
    expect(client.getCipher().name).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
    expect(await echo(open(port, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }))).not.toBe('hello');
  });
});

describe('client certificates', () => {
  const ca = pemPath('ca');

  it.each([
    { verify: 'none', mutual: false, none: true, good: true, bad: true },
    { verify: 'request', mutual: false, none: true, good: true, bad: false },
    { verify: 'require', mutual: false, none: false, good: true, bad: false },
    { verify: 'none', mutual: true, none: false, good: true, bad: false },
    { verify: 'request', mutual: true, none: false, good: true, bad: false },
  ] as const)('verify $verify, mutual $mutual', async ({ verify, mutual, none, good, bad }) => {
    const { port, counts, accepted } = await listen({ verify, ca }, { mutual });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { minVersion: version, maxVersion: version };
      expect((await echo(open(port, options))) === 'hello').toBe(none);
      expect((await echo(open(port, { ...options, ...CLIENT }))) === 'hello').toBe(good);
      expect((await echo(open(port, { ...options, ...STRANGER }))) === 'hello').toBe(bad);
    }
    const passed = [none, good, bad].filter(Boolean).length;
    expect(accepted).toHaveLength(2 * passed);
    expect(counts).toMatchObject({ handshakeErrors: 6 - 2 * passed, protocolErrors: 0 });
  });
});

describe('session resumption', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is not to be had without the session cache, %s', async (version) => {
    const { port, counts } = await listen();
    const options = { minVersion: version, maxVersion: version };
    const session = await sessionOf(port, options);
    const again = open(port, { ...options, ...(session === undefined ? {} : { session }) });
    expect(await echo(again)).toBe('hello');
    expect(again.isSessionReused()).toBe(false);
    expect(counts.newSessions).toBe(0);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('works with it, and new sessions are counted, %s', async (version) => {
    const { port, counts } = await listen({ sessionCache: true });
    const options = { minVersion: version, maxVersion: version };
    const session = await sessionOf(port, options);
    expect(counts.newSessions).toBe(1);
    const again = open(port, { ...options, session: session! });
    expect(await echo(again)).toBe('hello');
    expect(again.isSessionReused()).toBe(true);
    expect(counts.newSessions).toBe(1);
  });

  it('does not get around a certificate that is required', async () => {
    const files = new TlsFiles(tlsConfig({ sessionCache: true, ca: pemPath('ca') }));
    const anybody = await listen({}, { files });
    const mutual = await listen({}, { files, mutual: true });
    for (const version of ['TLSv1.2', 'TLSv1.3', 'TLSv1.2', 'TLSv1.3'] as const) {
      // Also after a refresh.
      if (mutual.counts.handshakeErrors === 2) await files.load();
      const options = { minVersion: version, maxVersion: version };
      const session = await sessionOf(anybody.port, options);
      expect(session).toBeDefined();
      expect(await echo(open(mutual.port, { ...options, session: session! }))).not.toBe('hello');
    }
    expect(mutual.accepted).toHaveLength(0);
  });

  it('ends with a refresh', async () => {
    const { port, files } = await listen({ sessionCache: true });
    const session = await sessionOf(port, {});
    await files.load();
    const again = open(port, { session: session! });
    expect(await echo(again)).toBe('hello');
    expect(again.isSessionReused()).toBe(false);
  });
});

describe('TlsFiles', () => {
  function copies(): { config: TlsConfig; put: (name: string) => void } {
    const directory = tempDirectory();
    const cert = join(directory, 'cert.pem');
    const key = join(directory, 'key.pem');
    const put = (name: string): void => {
      copyFileSync(pemPath(name), cert);
      copyFileSync(pemPath(`${name}-key`), key);
    };
    put('server');
    return { config: tlsConfig({ cert, key }), put };
  }

  it('refresh() gives new connections the new certificate and leaves the others theirs', async () => {
    const { config, put } = copies();
    const { port, files } = await listen(config);
    const old = open(port);
    expect(await echo(old)).toBe('hello');
    put('renewed');
    expect(nameOf(await secured(open(port)))).toBe('server');
    expect(await files.refresh()).toBeUndefined();
    expect(nameOf(await secured(open(port)))).toBe('renewed server');
    expect(await echo(old)).toBe('hello');
    expect(nameOf(old)).toBe('server');
  });

  it('refresh() keeps what it has when the new files do not fit, and says why', async () => {
    const { config, put } = copies();
    const { port, files } = await listen(config);
    copyFileSync(pemPath('renewed'), config.cert);
    expect(await files.refresh()).toMatch(/^Cannot use TLS: .*mismatch/);
    writeFileSync(config.cert, 'no certificate');
    expect(await files.refresh()).toMatch(/^Cannot use TLS: /);
    expect(nameOf(await secured(open(port)))).toBe('server');
    put('renewed');
    expect(await files.refresh()).toBeUndefined();
    expect(nameOf(await secured(open(port)))).toBe('renewed server');
  });

  it('secondsSinceRefresh counts from the last time that it worked', async () => {
    let now = 1000;
    const { config } = copies();
    const files = new TlsFiles(config, () => now);
    await files.load();
    now = 8500;
    expect(files.secondsSinceRefresh).toBe(7);
    writeFileSync(config.key, '');
    await files.refresh();
    expect(files.secondsSinceRefresh).toBe(7);
    copyFileSync(pemPath('server-key'), config.key);
    await files.refresh();
    expect(files.secondsSinceRefresh).toBe(0);
  });

  it('load() names the file that is not there', async () => {
    await expect(new TlsFiles(tlsConfig({ key: '/nowhere/key.pem' })).load()).rejects.toMatchObject({
      code: 'TUGELA_USAGE',
      message: 'Cannot read the TLS key /nowhere/key.pem: there is no such file',
    });
  });
});

async function secured(socket: TLSSocket): Promise<TLSSocket> {
  await once(socket, 'secureConnect');
  return socket;
}
