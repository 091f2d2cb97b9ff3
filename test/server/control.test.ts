import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ServeConfig } from '../../src/config.ts';
import { mayControl } from '../../src/server/control.ts';
import { isLoopback } from '../../src/server/listeners.ts';
import { outsideAddress } from '../support/outside-address.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

const REFUSED = 'CLIENT_ERROR control commands are not accepted on this connection\r\n';

/** All that the rule is for. */
const COMMANDS = [
  'expire',
  'expire state',
  'expire list 10 - 0',
  'expire evict 1',
  'expire delete a',
  'expire dump',
  'expire hotkeys',
  'shutdown',
  'cache_memlimit 16',
  'refresh_certs',
  'lru_crawler crawl all',
  'verbosity 1',
];

/** A client that comes by an address which is not that of the loopback. */
async function connectFromOutside(change: Partial<ServeConfig> = {}): Promise<TestClient> {
  const { port } = await startTestServer({ listen: [{ host: outsideAddress!, port: undefined, security: undefined }], ...change });
  const socket = connect({ port, host: outsideAddress! });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return new TestClient(socket);
}

describe('isLoopback()', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['128.0.0.1', false],
    ['1.127.0.1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['fe80::1', false],
    ['::1:1', false],
    [undefined, false],
  ])('%s: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });
});

describe('mayControl()', () => {
  it.each([
    ['local', 'tcp', true, true],
    ['local', 'tcp', false, false],
    ['local', 'local', true, true],
    ['local', 'udp', false, false],
    ['local', 'udp', true, false],
    ['any', 'tcp', true, true],
    ['any', 'tcp', false, true],
    ['any', 'local', true, true],
    ['any', 'udp', false, false],
    ['off', 'tcp', true, false],
    ['off', 'tcp', false, false],
    ['off', 'local', true, false],
    ['off', 'udp', false, false],
  ] as const)('--control %s, by %s, from this machine: %s, gives %s', (mode, transport, isLocal, expected) => {
    expect(mayControl(mode, { transport, isLocal })).toBe(expected);
  });
});

describe('who may control the server', () => {
  it.each(['local', 'any', 'off'] as const)('stands in stats settings: %s', async (control) => {
    const { port } = await startTestServer({ control });
    const client = await TestClient.connect(port);
    expect(await client.ask('stats settings\r\n', 'END\r\n')).toContain(`STAT control ${control}\r\n`);
  });

  it.skipIf(outsideAddress === undefined)('by default nobody who comes by the network: nothing happens, and items are served', async () => {
    const client = await connectFromOutside({ shutdown: true });
    expect(await client.ask('set a 0 0 1\r\nx\r\n')).toBe('STORED\r\n');
    for (const command of COMMANDS) expect(await client.ask(`${command}\r\n`), command).toBe(REFUSED);
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
    const settings = await client.ask('stats settings\r\n', 'END\r\n');
    expect(settings).toContain('STAT verbosity 0\r\n');
    expect(settings).toContain(`STAT maxbytes ${8 * 2 ** 20}\r\n`);
  });

  it.skipIf(outsideAddress === undefined)('everyone, if --control any says so', async () => {
    const client = await connectFromOutside({ control: 'any' });
    expect(await client.ask('expire delete a\r\n')).toMatch(/^JOB \d+\r\n$/);
    expect(await client.ask('cache_memlimit 16\r\n')).toBe('OK\r\n');
  });

  it('who comes by the loopback or a unix socket', async () => {
    const path = join(tempDirectory(), 'socket');
    const { port } = await startTestServer({ socket: path });
    const socket = connect(path);
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, 'connect');
    for (const client of [await TestClient.connect(port), new TestClient(socket)]) {
      expect(await client.ask('expire delete a\r\n')).toMatch(/^JOB \d+\r\n$/);
      expect(await client.ask('cache_memlimit 16\r\n')).toBe('OK\r\n');
    }
  });

  it('nobody at all with --control off', async () => {
    const { port } = await startTestServer({ control: 'off', shutdown: true });
    const client = await TestClient.connect(port);
    for (const command of COMMANDS) expect(await client.ask(`${command}\r\n`), command).toBe(REFUSED);
  });
});
