import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Workspace } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';
import { holdNextWrite } from './held-writes.ts';

// A reply said that the server had come so far, while what it was told before was in memory alone.
describe('a reply is not sent before earlier noreply mutations are committed', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([
    ['in one read', true],
    ['in a later one', false],
  ])('%s', async (_when, atOnce) => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const write = holdNextWrite();
    client.send(`set a 0 0 1 noreply\r\nx\r\n${atOnce ? 'mn\r\n' : ''}`);
    await write.begun;
    if (!atOnce) client.send('mn\r\n');
    const other = await TestClient.connect(port);
    // Others are not kept waiting.
    for (let i = 0; i < 20; i++) expect(await other.ask('get a\r\n', 'END\r\n')).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
    expect(client.received).toBe('');
    write.release();
    expect(await client.receive(4)).toBe('MN\r\n');
  });
});

describe('a reply that is made beside the event loop', () => {
  afterEach(() => vi.restoreAllMocks());

  it('follows that of a mutation before it, once that is committed', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const write = holdNextWrite();
    client.send('set a 0 0 1\r\nx\r\nstats storage\r\n');
    await write.begun;
    const other = await TestClient.connect(port);
    // The other's, begun later, is there.
    await other.ask('stats storage\r\n', 'END\r\n');
    expect(client.received).toBe('');
    write.release();
    expect(await client.ask('mn\r\n', 'MN\r\n')).toMatch(/^STORED\r\nSTAT .*END\r\nMN\r\n$/s);
  });
});

describe('kill -9 right after a reply', () => {
  let workspace: Workspace;
  beforeEach(() => {
    workspace = new Workspace();
  });
  afterEach(async () => {
    await workspace.close();
  });

  it('does not lose the noreply mutations before it', async () => {
    const value = Buffer.alloc(900_000, 'v');
    for (let round = 0; round < 4; round++) {
      const server = await workspace.serve();
      const client = await RawClient.connect(server.port);
      client.send(Buffer.concat([Buffer.from(`set k${round} 0 0 ${value.length} noreply\r\n`), value, Buffer.from('\r\ndelete old noreply\r\nset old 0 0 1 noreply\r\n1\r\nmn\r\n')]));
      expect(await client.line()).toBe('MN');
      await server.kill();
    }
    const client = await RawClient.connect((await workspace.serve()).port);
    const found = await client.getMany('k0', 'k1', 'k2', 'k3', 'old');
    expect(found.map((item) => item.value.length)).toEqual([900_000, 900_000, 900_000, 900_000, 1]);
  });
});
