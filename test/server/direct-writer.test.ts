import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DirectWriter } from '../../src/server/direct-writer.ts';
import type { Wire } from '../../src/server/wire.ts';
import { bytesOf } from '../support/build-item.ts';

const CHUNK = 64 * 1024;

interface Pair {
  readonly server: Socket;
  readonly client: Socket;
  readonly writer: DirectWriter;
  /** What the client has read so far. */
  readonly received: Buffer[];
  taken: number;
}

/** Both ends of a connection. */
async function open(): Promise<Pair> {
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: false });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [server] = await accepted;
  server.on('error', () => server.destroy());
  client.on('error', () => client.destroy());
  onTestFinished(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  const pair: Pair = { server, client, received: [], taken: 0, writer: new DirectWriter(server, () => pair.taken++) };
  client.on('data', (bytes: Buffer) => pair.received.push(bytes));
  return pair;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Writes to a client that reads nothing until the kernel takes no more. Returns all that was written. */
function fill({ client, writer }: Pair): Buffer[] {
  client.pause();
  const written: Buffer[] = [];
  while (writer.pending === 0) {
    const chunk = bytesOf(CHUNK, written.length);
    written.push(chunk);
    expect(writer.write(chunk)).toBe(true);
  }
  return written;
}

/** The same, once it was seen how Node writes: nothing is written past a stream before one has written. */
async function openKnown(): Promise<Pair> {
  const { server, writer, received } = await open();
  writer.write(Buffer.from('not yet'));
  server.write(Buffer.from('shown'));
  await until(() => received.length > 0);
  return await open();
}

describe('DirectWriter', () => {
  it('takes nothing before a stream has shown how to write', async () => {
    const { server, writer, received } = await open();
    expect(writer.write(Buffer.from('refused'))).toBe(false);
    server.write(Buffer.from('shown'));
    await until(() => received.length > 0);
    expect(writer.write(Buffer.from(' taken'))).toBe(true);
    await until(() => Buffer.concat(received).length >= 11);
    expect(Buffer.concat(received).toString()).toBe('shown taken');
  });

  it('writes past the stream, in order with what the stream writes', async () => {
    const { server, writer, received } = await openKnown();
    expect(writer.write(Buffer.from('one '))).toBe(true);
    server.write('two ');
    await until(() => server.writableLength === 0);
    expect(writer.write(Buffer.from('three'))).toBe(true);
    expect(writer.pending).toBe(0);
    await until(() => Buffer.concat(received).length >= 13);
    expect(Buffer.concat(received).toString()).toBe('one two three');
  });

  it('queues what the kernel does not take, refuses more, and tells when it is taken', async () => {
    const pair = await openKnown();
    const { server, client, writer, received } = pair;
    const written = fill(pair);
    expect(writer.pending).toBe(CHUNK);
    expect(writer.write(Buffer.from('more'))).toBe(false);
    server.write(Buffer.from('behind'));
    client.resume();
    const expected = Buffer.concat([...written, Buffer.from('behind')]);
    await until(() => pair.taken === 1);
    expect(writer.pending).toBe(0);
    await until(() => received.reduce((sum, { length }) => sum + length, 0) >= expected.length);
    expect(Buffer.concat(received).equals(expected)).toBe(true);
  });

  it('has all of it sent before the end of the connection', async () => {
    const pair = await openKnown();
    const { server, client, received } = pair;
    const written = fill(pair);
    server.destroySoon();
    client.resume();
    await once(client, 'end');
    expect(Buffer.concat(received).equals(Buffer.concat(written))).toBe(true);
  });

  it('ends with a client that is gone', async () => {
    const pair = await openKnown();
    fill(pair);
    const closed = new Promise((resolve) => pair.server.once('close', resolve));
    pair.client.resetAndDestroy();
    await closed;
    expect(pair.taken).toBe(0);
    expect(pair.writer.write(Buffer.from('late'))).toBe(false);
  });

  it('takes nothing where Node shows no handle', () => {
    const wire = { writableLength: 0 } as Wire;
    expect(new DirectWriter(wire, () => undefined).write(Buffer.from('x'))).toBe(false);
  });
});
