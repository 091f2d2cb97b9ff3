import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { pem, tlsConfig } from '../support/tls-fixtures.ts';

/** Linux's table of sockets: the timer of each, and when it is due. */
const TABLE = '/proc/net/tcp';
/** The timer that keepalive shares with nothing else of an established connection. */
const KEEPALIVE_TIMER = '02';
/** Units of the table in a second. */
const TICKS = 100;

/** Seconds until the server's end of a client's connection is to ask for a sign of life; undefined = it is not, or has something else to do first. */
function secondsToKeepalive(client: Socket): number | undefined {
  const server = `0100007F:${hexPort(client.remotePort)}`;
  const peer = `0100007F:${hexPort(client.localPort)}`;
  for (const line of readFileSync(TABLE, 'latin1').split('\n')) {
    const [, local, remote, , , timer] = line.trim().split(/\s+/);
    if (local !== server || remote !== peer) continue;
    const [kind, due] = timer?.split(':') ?? [];
    return kind === KEEPALIVE_TIMER ? Number.parseInt(due ?? '', 16) / TICKS : undefined;
  }
  return undefined;
}

function hexPort(port: number | undefined): string {
  return (port ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

// The kernel's own default is two hours, and none for sockets that nobody asked it for.
it.skipIf(!existsSync(TABLE)).each(['plain', 'TLS'])('a %s connection is asked for a sign of life when it was silent for 5 minutes (skipped off Linux)', async (kind) => {
  const isTls = kind === 'TLS';
  const { port } = await startTestServer({ idleTimeout: 0, ...(isTls ? { tls: tlsConfig() } : {}) });
  const client = isTls ? overTls(port) : await TestClient.connect(port);
  expect(await client.ask('mn\r\n')).toBe('MN\r\n');
  // Until what the server sent is confirmed the timer is that of sending it again.
  const seconds = await eventually(() => Promise.resolve(secondsToKeepalive(client.socket)), 'the connection has a keepalive timer');
  expect(seconds).toBeLessThanOrEqual(300);
  // It was set when the connection was made, within this test.
  expect(seconds).toBeGreaterThan(200);
});

function overTls(port: number): TestClient {
  const socket = connect({ port, host: '127.0.0.1', ca: pem('ca') });
  onTestFinished(() => {
    socket.destroy();
  });
  return new TestClient(socket);
}
