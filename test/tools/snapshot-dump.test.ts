import { createServer } from 'node:net';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SnapshotDump } from '../../src/server/snapshot.ts';
import { DumpReader } from '../../src/tools/dump-reader.ts';
import { dumpServer } from '../../src/tools/server-dump.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { collect, itemsIn } from './dumps.ts';

async function openCache(): Promise<OpenCache> {
  const open = await OpenCache.open(tempDirectory());
  onTestFinished(() => open.close());
  return open;
}

/** Values that take several pieces of a dump, each in the value log. */
const COUNT = 1000;
const VALUE_BYTES = 2000;

async function fill(open: OpenCache, version: number): Promise<void> {
  await Promise.all(Array.from({ length: COUNT }, (_, i) => open.set(`key ${i}`, Buffer.alloc(VALUE_BYTES, version))));
  await open.store.inLevel();
}

describe('a dump of a store in use', () => {
  it('shows one moment, whatever is stored, deleted and swept meanwhile', async () => {
    const open = await openCache();
    await fill(open, 1);
    const dump = new SnapshotDump(open.cache, open.store).stream('');
    const chunks = [(await dump.next()).value!];
    await fill(open, 2);
    for (let i = 0; i < COUNT; i += 3) await open.delete(`key ${i}`);
    open.cache.flushAll(0);
    // The values of version 1 are all dead now, and would be removed by this.
    await open.store.sync();
    for await (const chunk of dump) chunks.push(chunk);
    const items = itemsIn(Buffer.concat(chunks));
    expect(items).toHaveLength(COUNT);
    expect(items.every(({ value }) => value.equals(Buffer.alloc(VALUE_BYTES, 1)))).toBe(true);
  });

  it('has what was acknowledged from memory before it', async () => {
    const open = await openCache();
    await open.set('a', Buffer.from('x'));
    expect(open.store.hasPending).toBe(true);
    const dump = await collect(new SnapshotDump(open.cache, open.store).stream(''));
    expect(itemsIn(dump).map(({ key }) => key)).toEqual(['a']);
  });

  it('holds value segments while it runs, and not longer', async () => {
    const open = await openCache();
    await fill(open, 1);
    const segments = (): number => readdirSync(join(open.directory, 'values')).length;
    const dumps = new SnapshotDump(open.cache, open.store);
    const dump = dumps.stream('');
    await dump.next();
    expect(dumps.running).toBe(1);
    for (let i = 0; i < COUNT; i++) await open.delete(`key ${i}`);
    await open.store.sync();
    expect(segments()).toBe(1);
    await dump.return();
    expect(dumps.running).toBe(0);
    await open.store.sync();
    expect(segments()).toBe(0);
  });

  it('is given up when its reader stands still, and lets go of what it held', async () => {
    const open = await openCache();
    await fill(open, 1);
    const dump = new SnapshotDump(open.cache, open.store, 1).stream('');
    await dump.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = 0; i < COUNT; i++) await open.delete(`key ${i}`);
    await open.store.sync();
    expect(readdirSync(join(open.directory, 'values'))).toEqual([]);
    await expect(dump.next()).rejects.toThrow(/stood still/);
  });

  it('leaves out what is flushed or expired, and other keys', async () => {
    const open = await openCache();
    await open.set('k:flushed', Buffer.from('x'));
    open.cache.flushAll(0);
    await open.set('k:expired', Buffer.from('x'), 10);
    await open.set('k:alive', Buffer.from('x'), 100);
    await open.set('other', Buffer.from('x'));
    open.clock.advance(10);
    const dump = await collect(new SnapshotDump(open.cache, open.store).stream('k:'));
    expect(itemsIn(dump).map(({ key }) => key)).toEqual(['k:alive']);
  });
});

describe('the client of a dump', () => {
  /** A server that answers anything with some bytes, in small pieces, and ends the connection. */
  async function serve(reply: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<{ host: string; port: number }> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => void pipeline(Readable.from(reply), socket).catch(() => undefined));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  }

  async function read(address: { host: string; port: number }): Promise<Buffer> {
    return await collect(dumpServer(address, '', new DumpReader()));
  }

  it('takes exactly the dump', async () => {
    const open = await openCache();
    await fill(open, 1);
    const expected = await collect(new SnapshotDump(open.cache, open.store).stream(''));
    expect((await read(await serve(new SnapshotDump(open.cache, open.store).stream('')))).equals(expected)).toBe(true);
  });

  it('notices a dump that breaks off', async () => {
    const open = await openCache();
    await fill(open, 1);
    const whole = await collect(new SnapshotDump(open.cache, open.store).stream(''));
    await expect(read(await serve([whole.subarray(0, 300_000)]))).rejects.toThrow(/truncated/);
  });

  it.each([
    ['ERROR\r\n', /refuses to be dumped: ERROR; is it a tugela-ts/],
    ['CLIENT_ERROR control commands are not accepted on this connection\r\n', /not accepted on this connection; connect from its own host/],
  ])('passes on the refusal %j', async (line, message) => {
    await expect(read(await serve([Buffer.from(line)]))).rejects.toThrow(message);
  });
});
