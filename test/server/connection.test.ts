import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { failNextWrite, holdNextWrite } from '../issues/held-writes.ts';
import { checkStore } from '../support/check-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

afterEach(() => vi.restoreAllMocks());

/** Commands of every kind and the replies to them on an empty store. */
const TRANSCRIPT: readonly (readonly [sent: string, replied: string])[] = [
  ['set a 7 0 5\r\nhello\r\n', 'STORED\r\n'],
  ['get a b\r\n', 'VALUE a 7 5\r\nhello\r\nEND\r\n'],
  ['append a 0 0 3\r\n!\r\n\r\n', 'STORED\r\n'],
  ['get a\r\n', 'VALUE a 7 8\r\nhello!\r\n\r\nEND\r\n'],
  ['set n 0 0 2\r\n41\r\n', 'STORED\r\n'],
  ['incr n 1\r\n', '42\r\n'],
  ['decr n 100\r\n', '0\r\n'],
  ['set q 0 0 1 noreply\r\n1\r\n', ''],
  ['incr q 5 noreply\r\n', ''],
  ['get q\r\n', 'VALUE q 0 1\r\n6\r\nEND\r\n'],
  ['add a 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
  ['replace b 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
  ['cas b 0 0 1 5\r\nx\r\n', 'NOT_FOUND\r\n'],
  ['cas a 0 0 1 0\r\nx\r\n', 'EXISTS\r\n'],
  ['set big 0 0 2000000\r\n', ''],
  [`${'z'.repeat(2_000_000)}\r\n`, 'SERVER_ERROR object too large for cache\r\n'],
  ['set e 0 0 3\r\nabcdeget a\r\n', 'CLIENT_ERROR bad data chunk\r\nVALUE a 7 8\r\nhello!\r\n\r\nEND\r\n'],
  ['nonsense\r\n', 'ERROR\r\n'],
  ['touch a 100\r\n', 'TOUCHED\r\n'],
  ['gat 100 a\r\n', 'VALUE a 7 8\r\nhello!\r\n\r\nEND\r\n'],
  ['delete a\r\n', 'DELETED\r\n'],
  ['delete a\r\n', 'NOT_FOUND\r\n'],
  ['flush_all\r\n', 'OK\r\n'],
  ['get n q\r\n', 'END\r\n'],
  ['sync\r\n', 'OK\r\n'],
  ['mn\r\n', 'MN\r\n'],
];
const SENT = TRANSCRIPT.map(([sent]) => sent).join('');
const REPLIED = TRANSCRIPT.map(([, replied]) => replied).join('');

describe('Connection', () => {
  it('answers pipelined commands in their order', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    client.send(SENT);
    expect(await client.receive(REPLIED.length)).toBe(REPLIED);
  });

  it('answers the same however its input is cut', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(80), { maxLength: 30 }), async (cuts) => {
        await client.ask('delete n\r\n');
        await client.ask('delete q\r\n');
        let at = 0;
        for (const cut of cuts) {
          client.send(SENT.slice(at, at + cut));
          at += cut;
          await new Promise((resolve) => setImmediate(resolve));
        }
        client.send(SENT.slice(at));
        expect(await client.receive(REPLIED.length)).toBe(REPLIED);
      }),
      { numRuns: 8 },
    );
  });

  it('answers the same when its input comes byte by byte', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const sent = TRANSCRIPT.filter(([sent]) => !sent.startsWith('set big') && !sent.startsWith('z'));
    for (const byte of sent.map(([sent]) => sent).join('')) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const replied = sent.map(([, replied]) => replied).join('');
    expect(await client.receive(replied.length)).toBe(replied);
  });

  it('answers the same with next to no RAM', async () => {
    const { port } = await startTestServer({ memory: 0 });
    const client = await TestClient.connect(port);
    client.send(SENT);
    expect(await client.receive(REPLIED.length)).toBe(REPLIED);
  });

  it('holds replies back until what they promise is committed', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const write = holdNextWrite();
    client.send('get a\r\nset a 0 0 1\r\nx\r\nget a\r\n');
    await write.begun;
    const other = await TestClient.connect(port);
    expect(await other.ask('get a\r\n', 'END\r\n')).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
    expect(client.received).toBe('');
    write.release();
    const replied = 'END\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n';
    expect(await client.receive(replied.length)).toBe(replied);
  });

  it('says of each mutation in a failed batch that it failed, and of nothing else', async () => {
    const { port, directory, server } = await startTestServer();
    const client = await TestClient.connect(port);
    await client.ask('set old 0 0 1\r\n1\r\n');
    failNextWrite();
    client.send('get old\r\nset a 0 0 1\r\nx\r\nget none\r\nset old 0 0 1\r\n2\r\nmn\r\n');
    const failed = 'SERVER_ERROR cannot write to disk\r\n';
    const replied = `VALUE old 0 1\r\n1\r\nEND\r\n${failed}END\r\n${failed}MN\r\n`;
    expect(await client.receive(replied.length)).toBe(replied);
    expect(await client.ask('get a old\r\n', 'END\r\n')).toBe('VALUE old 0 1\r\n1\r\nEND\r\n');
    expect(await client.ask('delete old\r\n')).toBe(failed);
    await server.stop();
    expect([...(await checkStore(directory)).items.keys()]).toEqual(['old']);
  });

  it('still answers what was sent before the client ended its side', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    client.send('set a 0 0 1\r\nx\r\nget a\r\n');
    client.socket.end();
    expect(await client.end()).toBe('STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n');
  });

  it('forgets a command that its client never finished', async () => {
    const { port } = await startTestServer();
    const gone = await TestClient.connect(port);
    gone.send('set a 0 0 10\r\nxxx');
    gone.socket.end();
    await gone.end();
    const client = await TestClient.connect(port);
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
    expect(await client.ask('stats\r\n', 'END\r\n')).toContain('STAT curr_connections 1\r\n');
  });

  it('keeps what a client set that was gone before the reply', async () => {
    const { port, server, directory } = await startTestServer();
    const gone = await TestClient.connect(port);
    gone.send('set a 0 0 1\r\nx\r\n');
    gone.socket.destroySoon();
    await once(gone.socket, 'close');
    const client = await TestClient.connect(port);
    await client.ask('sync\r\n');
    await server.stop();
    expect((await checkStore(directory)).items.size).toBe(1);
  });

  it('closes after quit, once earlier replies are out', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    client.send('set a 0 0 1\r\nx\r\nquit\r\nget a\r\n');
    expect(await client.end()).toBe('STORED\r\n');
  });

  it.each([
    ['reads', 'get big\r\n'],
    ['reads and writes', 'touch small 100\r\nget big\r\ntouch small 0\r\nget big\r\n'],
  ])('keeps little in memory for a client that %s but does not take its replies', async (_what, commands) => {
    const { port } = await startTestServer();
    const writer = await TestClient.connect(port);
    await writer.ask(`set big 0 0 900000\r\n${'x'.repeat(900_000)}\r\n`);
    await writer.ask('set small 0 0 1\r\nx\r\n');
    const slow = connect({ port, host: '127.0.0.1' });
    await once(slow, 'connect');
    slow.pause();
    slow.write(commands.repeat(400));
    // Some replies on: the server had every occasion to run ahead.
    for (let i = 0; i < 300; i++) await writer.ask('touch small 5\r\n');
    const written = Number(/STAT bytes_written (\d+)/.exec(await writer.ask('stats\r\n', 'END\r\n'))![1]);
    slow.destroy();
    expect(written).toBeLessThan(40 * 2 ** 20);
  });

  it.each([
    [4, 64],
    [32, 128],
    [64, 256],
  ])('beside %i MB for connections it reads %i KB of what a client sends that waits for its commit, and a piece more', async (connectionMemory, kilobytes) => {
    const { port } = await startTestServer({ connectionMemory: connectionMemory * 2 ** 20 });
    const client = await TestClient.connect(port);
    const other = await TestClient.connect(port);
    const write = holdNextWrite();
    client.send('set k 0 0 1\r\n1\r\n');
    await write.begun;
    client.send('get k\r\n'.repeat(200_000));
    const held = async (): Promise<number> => Number(/STAT connection_memory_bytes (\d+)/.exec(await other.ask('stats load\r\n', 'END\r\n'))![1]);
    await vi.waitFor(async () => expect(await held()).toBeGreaterThan(kilobytes * 1024));
    // Many replies on: the server had every occasion to read on.
    for (let i = 0; i < 300; i++) await other.ask('mn\r\n');
    expect(await held()).toBeLessThanOrEqual((kilobytes + 64) * 1024 + 100);
    write.release();
    await client.receive('STORED\r\n'.length + 200_000 * 'VALUE k 0 1\r\n1\r\nEND\r\n'.length);
  });

  it('goes on where it stopped when a slow client reads again', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    await client.ask(`set big 0 0 900000\r\n${'x'.repeat(900_000)}\r\n`);
    client.socket.pause();
    client.send('touch big 100\r\nget big\r\n'.repeat(30));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.resume();
    const length = 30 * `TOUCHED\r\nVALUE big 0 900000\r\n${'x'.repeat(900_000)}\r\nEND\r\n`.length;
    expect((await client.receive(length)).length).toBe(length);
  });
});

describe('startServer', () => {
  it('turns clients over the limit away, and takes new ones when others have left', async () => {
    const { port } = await startTestServer({ connections: 2 });
    const first = await TestClient.connect(port);
    const second = await TestClient.connect(port);
    await first.ask('mn\r\n');
    await second.ask('mn\r\n');
    const third = await TestClient.connect(port);
    expect(await third.end()).toBe('ERROR Too many open connections\r\n');
    first.socket.end();
    await first.end();
    await second.ask('mn\r\n');
    const fourth = await TestClient.connect(port);
    expect(await fourth.ask('mn\r\n')).toBe('MN\r\n');
    expect(await fourth.ask('stats\r\n', 'END\r\n')).toContain('STAT rejected_connections 1\r\n');
  });

  it('answers what a client sent while the store was being opened', async () => {
    const path = join(tempDirectory(), 'socket');
    let early: TestClient | undefined;
    const open = Store.open.bind(Store);
    vi.spyOn(Store, 'open').mockImplementationOnce(async (directory, options) => {
      const socket = connect(path);
      await once(socket, 'connect');
      early = new TestClient(socket);
      early.send('mn\r\n');
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      return open(directory, options);
    });
    await startTestServer({ listen: [], socket: path });
    expect(await early!.receive(4)).toBe('MN\r\n');
    early!.socket.destroy();
  });

  it('survives a client that is gone before the store is open', async () => {
    const path = join(tempDirectory(), 'socket');
    const open = Store.open.bind(Store);
    vi.spyOn(Store, 'open').mockImplementationOnce(async (directory, options) => {
      const socket = connect(path);
      await once(socket, 'connect');
      socket.destroy();
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      return open(directory, options);
    });
    const { server } = await startTestServer({ listen: [], socket: path });
    const client = new TestClient(connect(server.addresses[0]!.slice('unix:'.length)));
    expect(await client.ask('stats\r\n', 'END\r\n')).toContain('STAT curr_connections 1\r\n');
    client.socket.destroy();
  });

  it('finishes what it was asked and stops, whatever idle clients do', async () => {
    const { port, server, directory } = await startTestServer();
    const idle = await TestClient.connect(port);
    await idle.ask('mn\r\n');
    const busy = await TestClient.connect(port);
    expect(await busy.ask('set a 0 0 1\r\nx\r\n')).toBe('STORED\r\n');
    const started = performance.now();
    await server.stop();
    expect(performance.now() - started).toBeLessThan(3000);
    expect((await checkStore(directory)).items.size).toBe(1);
  });

  it('makes a delayed flush_all take effect when its time comes, also after a restart', async () => {
    const { port, server, clock, directory } = await startTestServer();
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 1\r\nx\r\n');
    expect(await client.ask('flush_all 10\r\n')).toBe('OK\r\n');
    await server.stop();
    clock.advance(10);
    const again = await startTestServer({ file: directory }, { clock });
    const other = await TestClient.connect(again.port);
    expect(await other.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
  });
});
