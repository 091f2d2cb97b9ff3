import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Findings } from '../../src/tools/findings.ts';
import { loadIntoServer } from '../../src/tools/load-server.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { dumpOf, newItem, pagesOf } from './dumps.ts';

describe('loading into a server', () => {
  it('keeps flags, expiry, cas uniques, stale marks and odd keys', async () => {
    const { port, clock } = await startTestServer();
    const now = clock.now();
    const dump = dumpOf([
      newItem('plain', 'one', { flags: 7, cas: 11 }),
      newItem('timed', 'two\r\n', { expiresAt: now + 500, cas: 12 }),
      newItem('far', 'three', { expiresAt: now + 100 * 86_400, cas: 13, chosenCas: 2n ** 60n }),
      newItem('stale', 'four', { bits: 1, cas: 14 }),
      newItem('odd key', 'five', { cas: 15 }),
      newItem('gone', 'six', { expiresAt: now, cas: 16 }),
      newItem('empty', '', { cas: 17 }),
    ]);
    const refused = new Findings(10);
    const report = await loadIntoServer({ host: '127.0.0.1', port }, pagesOf(dump), refused, { prefix: '', now });
    expect([report, refused.total]).toEqual([{ loaded: 6, bytes: 51, expired: 1, other_keys: 0 }, 0]);
    const client = await TestClient.connect(port);
    expect(await client.ask('mg plain v f c t\r\n')).toBe('VA 3 f7 c11 t-1\r\none\r\n');
    expect(await client.ask('mg timed v t c\r\n')).toBe('VA 5 t500 c12\r\ntwo\r\n\r\n');
    expect(await client.ask('mg far t c\r\n')).toBe(`HD t${100 * 86_400} c${2n ** 60n}\r\n`);
    expect(await client.ask('mg stale v c\r\n')).toBe('VA 4 c14 X W\r\nfour\r\n');
    expect(await client.ask(`mg ${Buffer.from('odd key').toString('base64')} b v\r\n`)).toBe('VA 4\r\nfive\r\n');
    expect(await client.ask('mg gone v\r\nmg empty v\r\n')).toBe('EN\r\nVA 0\r\n\r\n');
  });

  it('loads more than one batch, and keys with a prefix only', async () => {
    const { port, clock } = await startTestServer();
    const items = Array.from({ length: 2500 }, (_, i) => newItem(`${i % 2 === 0 ? 'even' : 'odd'}:${i}`, Buffer.alloc(i), { cas: i + 1 }));
    const report = await loadIntoServer({ host: '127.0.0.1', port }, pagesOf(dumpOf(items)), new Findings(10), { prefix: 'even:', now: clock.now() });
    expect(report).toMatchObject({ loaded: 1250, other_keys: 1250 });
  });

  it('names what the server refuses, and loads the rest', async () => {
    const { port, clock } = await startTestServer({ maxItemSize: 1024 });
    const dump = dumpOf([newItem('a', 'x'), newItem('large', Buffer.alloc(5000), { cas: 2 }), newItem('b', 'x', { cas: 3 })]);
    const refused = new Findings(10);
    const report = await loadIntoServer({ host: '127.0.0.1', port }, pagesOf(dump), refused, { prefix: '', now: clock.now() });
    expect(report.loaded).toBe(2);
    expect(refused.shown).toEqual(['line 4: item large: SERVER_ERROR object too large for cache']);
  });

  it('gives up when the server refuses everything', async () => {
    const { port, clock } = await startTestServer({ maxItemSize: 1024 });
    const dump = dumpOf([newItem('a', Buffer.alloc(5000)), newItem('b', Buffer.alloc(5000), { cas: 2 })]);
    const load = loadIntoServer({ host: '127.0.0.1', port }, pagesOf(dump), new Findings(10), { prefix: '', now: clock.now() });
    await expect(load).rejects.toThrow('The server refuses every item: SERVER_ERROR object too large for cache');
  });

  it('says so when there is no server, or it goes away', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const load = (): Promise<unknown> => loadIntoServer({ host: '127.0.0.1', port }, pagesOf(dumpOf([newItem('a', 'x')])), new Findings(10), { prefix: '', now: 0 });
    await expect(load()).rejects.toThrow(/^Connection to 127.0.0.1:\d+ lost: /);
    await new Promise((resolve) => server.close(resolve));
    await expect(load()).rejects.toThrow(/^Cannot reach server at 127.0.0.1:\d+: connect ECONNREFUSED/);
  });
});
