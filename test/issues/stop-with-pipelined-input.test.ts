import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { eventually, Workspace } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';
import { holdNextWrite } from './held-writes.ts';

afterEach(() => vi.restoreAllMocks());

// A stop closed connections that waited at the next occasion, with commands received and not executed.
describe('a stop answers the commands it has received', () => {
  it('behind a set that waits for its commit', async () => {
    const { port, server } = await startTestServer();
    const client = await TestClient.connect(port);
    const write = holdNextWrite();
    client.send('set a 0 0 1\r\nx\r\n');
    await write.begun;
    await sendAndSee(port, client, 'get a\r\nincr n 1\r\nmn\r\nset incomplete 0 0 10\r\nxx');
    const stopped = server.stop();
    write.release();
    expect(await client.end()).toBe('STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nNOT_FOUND\r\nMN\r\n');
    await stopped;
  });

  it('behind a get that waits for the disk', async () => {
    const { directory, server: first, port: firstPort } = await startTestServer();
    const value = 'v'.repeat(50_000);
    const writer = await TestClient.connect(firstPort);
    await writer.ask(`set big 0 0 ${value.length}\r\n${value}\r\n`);
    await first.stop();

    const { port, server } = await startTestServer({ file: directory });
    const client = await TestClient.connect(port);
    let read: () => void = () => undefined;
    const fetch: (this: Store, keys: readonly string[]) => ReturnType<Store['fetch']> = Reflect.get(Store.prototype, 'fetch');
    const asked = new Promise<void>((resolve) => {
      vi.spyOn(Store.prototype, 'fetch').mockImplementationOnce(async function slow(this: Store, keys) {
        resolve();
        await new Promise<void>((go) => {
          read = go;
        });
        return fetch.call(this, keys);
      });
    });
    client.send('get big\r\n');
    await asked;
    await sendAndSee(port, client, 'set a 0 0 1\r\nx\r\nget a big\r\nmn\r\n');
    const stopped = server.stop();
    read();
    const shown = `VALUE big 0 50000\r\n${value}\r\n`;
    expect(await client.end()).toBe(`${shown}END\r\nSTORED\r\nVALUE a 0 1\r\nx\r\n${shown}END\r\nMN\r\n`);
    await stopped;
  });

  it('and that its client is slow to take the replies of, after SIGTERM', async () => {
    const workspace = new Workspace();
    try {
      const server = await workspace.serve();
      const client = await RawClient.connect(server.port);
      const value = Buffer.alloc(500_000, 'v');
      await client.set('big', value);
      client.socket.pause();
      const count = 60;
      client.send(`${'get big\r\n'.repeat(count)}mn\r\n`);
      const other = await RawClient.connect(server.port);
      await eventually(async () => (await other.stat('get_hits')) > 0, 'the first is being answered');
      // Far fewer than were asked for: the server waits for the client.
      expect(await other.stat('get_hits')).toBeLessThan(count);
      const ended = server.stop();
      await server.logged('SIGTERM, stopping');
      client.socket.resume();
      for (let i = 0; i < count; i++) {
        expect(await client.line()).toBe('VALUE big 0 500000');
        await client.take(value.length + 2);
        expect(await client.line()).toBe('END');
      }
      expect(await client.line()).toBe('MN');
      expect(await client.line()).toBeUndefined();
      expect(await ended).toBe(0);
    } finally {
      await workspace.close();
    }
  });
});

/** Sends a text and resolves when the server has it. */
async function sendAndSee(port: number, client: TestClient, text: string): Promise<void> {
  const other = await TestClient.connect(port);
  const question = 'stats\r\n';
  const bytesRead = async (): Promise<number> => Number(/STAT bytes_read (\d+)/.exec(await other.ask(question, 'END\r\n'))?.[1]);
  let expected = (await bytesRead()) + text.length;
  client.send(text);
  await eventually(async () => {
    // Each question is read, too.
    expected += question.length;
    return (await bytesRead()) >= expected;
  }, 'the server has the input');
  other.socket.end();
  await other.end();
}
