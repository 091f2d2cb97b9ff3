import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bytesOf } from '../support/build-item.ts';
import { startTestServer } from '../support/test-server.ts';
import { pem, tlsConfig } from '../support/tls-fixtures.ts';
import { RawClient } from '../wire/raw-client.ts';

/** Several slices and a part of one. */
const LENGTH = 5_000_123;
const VALUE = bytesOf(LENGTH, 1);
const MAX = { maxItemSize: 64 * 2 ** 20 };

function text(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
}

describe('large values over TLS', () => {
  async function open(port: number): Promise<RawClient> {
    const options: ConnectionOptions & { allowHalfOpen: boolean } = { port, host: '127.0.0.1', ca: pem('ca'), allowHalfOpen: true };
    const socket = connectTls(options);
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, 'secureConnect');
    return RawClient.over(socket);
  }

  const REPLY = text(`VALUE k 0 ${LENGTH}\r\n`, VALUE, '\r\nEND\r\n');

  it('come whole and in order, with small replies between them', async () => {
    const { port } = await startTestServer({ ...MAX, tls: tlsConfig() });
    const client = await open(port);
    expect(await client.set('k', VALUE)).toBe('STORED');
    expect(await client.set('s', 'small')).toBe('STORED');
    const small = text('VALUE s 0 5\r\nsmall\r\nEND\r\n');
    client.send('get s\r\nget k\r\nget s\r\nmn\r\nget k\r\nget k\r\nversion\r\n');
    const expected = text(small, REPLY, small, 'MN\r\n', REPLY, REPLY);
    expect((await client.take(expected.length)).equals(expected)).toBe(true);
    expect(await client.line()).toMatch(/^VERSION/);
    expect(await client.ask('mn')).toBe('MN');
  });

  it('come whole to who has ended its side, and before the end of the connection', async () => {
    const { port } = await startTestServer({ ...MAX, tls: tlsConfig() });
    const client = await open(port);
    await client.set('k', VALUE);
    client.socket.end('get k\r\nget k\r\n');
    await client.ended;
    expect(client.received.equals(text(REPLY, REPLY))).toBe(true);
  });

  it('wait for a reader that stands still, and go on when it does', async () => {
    const { port } = await startTestServer({ ...MAX, tls: tlsConfig() });
    const client = await open(port);
    await client.set('k', VALUE);
    client.socket.pause();
    client.send('get k\r\nget k\r\nget k\r\nmn\r\n');
    const other = await open(port);
    for (;;) {
      const lines = await other.list('stats conns');
      if (lines.some((line) => line.endsWith(':state conn_write'))) break;
    }
    client.socket.resume();
    const expected = text(REPLY, REPLY, REPLY, 'MN\r\n');
    expect((await client.take(expected.length)).equals(expected)).toBe(true);
  });

  it('are forgotten when the client goes away in the middle', async () => {
    const { port, server } = await startTestServer({ ...MAX, tls: tlsConfig() });
    const client = await open(port);
    await client.set('k', VALUE);
    client.socket.pause();
    client.send('get k\r\nget k\r\n');
    const other = await open(port);
    while (!(await other.list('stats conns')).some((line) => line.endsWith(':state conn_write'))) continue;
    client.socket.destroy();
    while ((await other.stat('curr_connections')) > 1) continue;
    expect((await other.get('k'))?.value.equals(VALUE)).toBe(true);
    other.close();
    await server.stop();
  });
});
