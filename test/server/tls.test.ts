import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';
import { pem, pemPath, tlsConfig } from '../support/tls-fixtures.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

async function open(port: number, options: ConnectionOptions = {}): Promise<{ client: TestClient; socket: TLSSocket }> {
  const all: ConnectionOptions & { allowHalfOpen: boolean } = { port, host: '127.0.0.1', ca: pem('ca'), allowHalfOpen: true, ...options };
  const socket = connect(all);
  onTestFinished(() => {
    socket.destroy();
  });
  const client = new TestClient(socket);
  await Promise.race([once(socket, 'secureConnect'), client.end()]);
  return { client, socket };
}

describe('a server with TLS', () => {
  it('answers commands, in order, and also large ones', async () => {
    const { port } = await startTestServer({ tls: tlsConfig() });
    const { client } = await open(port);
    const value = 'abcdefghij'.repeat(50_000);
    expect(await client.ask(`set a 0 0 ${value.length}\r\n${value}\r\n`)).toBe('STORED\r\n');
    const reply = `VALUE a 0 ${value.length}\r\n${value}\r\nEND\r\n`;
    client.send('get a\r\nget a\r\nincr a 1\r\n');
    const error = 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n';
    expect(await client.receive(2 * reply.length + error.length)).toBe(reply + reply + error);
  });

  it('keeps replies apart that follow each other quickly', async () => {
    const { port } = await startTestServer({ tls: tlsConfig() });
    const { client } = await open(port);
    let expected = '';
    for (let i = 0; i < 500; i++) {
      client.send(`set k${i} 0 0 4\r\n${1000 + i}\r\n`);
      client.send(`get k${i}\r\n`);
      expected += `STORED\r\nVALUE k${i} 0 4\r\n${1000 + i}\r\nEND\r\n`;
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.receive(expected.length)).toBe(expected);
  });

  it('answers what came before the end of a client', async () => {
    const { port } = await startTestServer({ tls: tlsConfig() });
    const { client, socket } = await open(port);
    socket.end('set a 0 0 1\r\nx\r\nget a\r\n');
    expect(await client.end()).toBe('STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n');
  });

  it('has plain and mutual addresses beside the others', async () => {
    const { server } = await startTestServer({
      tls: tlsConfig({ ca: pemPath('ca') }),
      listen: [
        { host: '127.0.0.1', port: 0, security: 'plain' },
        { host: '127.0.0.1', port: 0, security: undefined },
        { host: '127.0.0.1', port: 0, security: 'mutual' },
      ],
    });
    const [plain, encrypted, mutual] = server.addresses.map((address) => Number(address.split(':').at(-1)));
    const { client } = await open(encrypted!);
    expect(await client.ask('set foo 0 0 3\r\nbar\r\n')).toBe('STORED\r\n');
    expect(await (await TestClient.connect(plain!)).ask('get foo\r\n', 'END\r\n')).toBe('VALUE foo 0 3\r\nbar\r\nEND\r\n');
    const known = await open(mutual!, { cert: pem('client'), key: pem('client-key') });
    expect(await known.client.ask('get foo\r\n', 'END\r\n')).toBe('VALUE foo 0 3\r\nbar\r\nEND\r\n');
    const unknown = await open(mutual!);
    expect(await unknown.client.ask('get foo\r\n', 'END\r\n')).toBe('');
  });

  it('reads its certificates again at refresh_certs', async () => {
    const directory = tempDirectory();
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    copyFileSync(pemPath('server'), cert);
    copyFileSync(pemPath('server-key'), key);
    const { port } = await startTestServer({ tls: tlsConfig({ cert, key }) });
    const { client, socket } = await open(port);
    copyFileSync(pemPath('renewed'), cert);
    copyFileSync(pemPath('renewed-key'), key);
    expect(await client.ask('refresh_certs\r\n')).toBe('OK\r\n');
    expect((await open(port)).socket.getPeerCertificate().subject['CN']).toBe('renewed server');
    expect(socket.getPeerCertificate().subject['CN']).toBe('server');
    expect(await client.ask('stats\r\n', 'END\r\n')).toMatch(/STAT time_since_server_cert_refresh \d+\r\n/);
  });

  it('counts new sessions when clients may resume them', async () => {
    const { port } = await startTestServer({ tls: tlsConfig({ sessionCache: true }) });
    const { client } = await open(port);
    expect(await client.ask('stats\r\n', 'END\r\n')).toContain('STAT ssl_new_sessions 1\r\n');
  });

  it('needs files that it can read', async () => {
    await expect(startTestServer({ tls: tlsConfig({ cert: '/nowhere' }) })).rejects.toMatchObject({ code: 'TUGELA_USAGE' });
  });
});
