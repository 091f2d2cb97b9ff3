import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Magic, Opcode } from '../../src/protocol/binary-header.ts';
import { type Packet, packet, u32s } from '../support/binary-client.ts';
import { eventually, type ServerProcess, within, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

const LENGTH = 128_000_000;
const VALUE = Buffer.alloc(LENGTH, 'a value of 128 MB, in pieces of a length that divides nothing');

/** Of the value's length: one copy, and what a process grows by beside it, but never two copies. */
const MOST_GROWTH = 1.6;

/** The same where the request for it may be executed after the commit: then it is read anew, perhaps before V8 gives the first back. */
const MOST_GROWTH_READ_ANEW = 2.3;

interface Exchange {
  readonly request: readonly (Buffer | string)[];
  readonly reply: readonly (Buffer | string)[];
}

interface Spoken {
  readonly dialect: string;
  /** For a store that has not given a cas unique yet, if it is the first. */
  readonly set: Exchange;
  readonly get: Exchange;
}

const spoken: readonly Spoken[] = [
  {
    dialect: 'binary',
    set: {
      request: [packet({ opcode: Opcode.set, extras: u32s(0, 0), key: 'b', value: VALUE })],
      reply: [replyPacket({ opcode: Opcode.set, cas: 1 })],
    },
    get: {
      request: [packet({ opcode: Opcode.get, key: 'b' })],
      reply: [replyPacket({ opcode: Opcode.get, extras: u32s(0), value: VALUE, cas: 1 })],
    },
  },
  {
    dialect: 'text',
    set: { request: [`set t 0 0 ${LENGTH}\r\n`, VALUE, '\r\n'], reply: ['STORED\r\n'] },
    get: { request: ['get t\r\n'], reply: [`VALUE t 0 ${LENGTH}\r\n`, VALUE, '\r\nEND\r\n'] },
  },
  {
    dialect: 'meta',
    set: { request: [`ms m ${LENGTH}\r\n`, VALUE, '\r\n'], reply: ['HD\r\n'] },
    get: { request: ['mg m v\r\n'], reply: [`VA ${LENGTH}\r\n`, VALUE, '\r\n'] },
  },
];

// It was copied where its reply waits for a commit and for meta commands, and kept in memory until the next get.
describe.skipIf(!existsSync('/proc/self/status'))('a value of 128 MB takes no more memory than one copy of itself', () => {
  let workspace: Workspace;
  beforeEach(() => {
    workspace = new Workspace();
  });
  afterEach(async () => {
    await workspace.close();
  });

  it('in a set, and in a get by a slow reader after a restart, in each dialect', async () => {
    const first = await serve();
    const growth = growthOf(first);
    for (const { dialect, set } of spoken) {
      await exchange(first.port, set);
      expect(growth(), `after a set, ${dialect}`).toBeLessThan(MOST_GROWTH);
    }
    const second = await restarted(first);
    const growthAfter = growthOf(second);
    for (const { dialect, get } of spoken) {
      await exchange(second.port, get, true);
      expect(growthAfter(), `after a get, ${dialect}`).toBeLessThan(MOST_GROWTH);
    }
  });

  it('in a reply that waits: behind the unanswered set that stored it, and for the commit of a touch', async () => {
    const first = await serve();
    const growth = growthOf(first);
    const request = [`ms k ${LENGTH} q\r\n`, VALUE, '\r\nmg k v\r\n'];
    await exchange(first.port, { request, reply: [`VA ${LENGTH}\r\n`, VALUE, '\r\n'] }, true);
    expect(growth(), 'behind a set').toBeLessThan(MOST_GROWTH_READ_ANEW);
    const second = await restarted(first);
    const growthAfter = growthOf(second);
    await exchange(second.port, { request: ['gat 1000 k\r\n'], reply: [`VALUE k 0 ${LENGTH}\r\n`, VALUE, '\r\nEND\r\n'] }, true);
    expect(growthAfter(), 'after gat').toBeLessThan(MOST_GROWTH);
  });

  async function serve(): Promise<ServerProcess> {
    const server = await workspace.serve({ args: ['--max-item-size', '128m'] });
    // What the first command costs is not counted.
    const client = await RawClient.connect(server.port);
    await client.ask('mn');
    client.socket.destroy();
    return server;
  }

  async function restarted(server: ServerProcess): Promise<ServerProcess> {
    // A stop in order would wait for the disk.
    await server.kill();
    return await serve();
  }
});

/** Tells how much more memory a server has needed since now, at any moment, in lengths of the value. */
function growthOf(server: ServerProcess): () => number {
  const before = peakBytes(server.pid);
  return () => (peakBytes(server.pid) - before) / LENGTH;
}

/** The most memory that was resident in a process so far. */
function peakBytes(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kibibytes) * 1024;
}

/** Sends a request and sees that it is answered right. A slow reader takes nothing before the server waits for it. */
async function exchange(port: number, { request, reply }: Exchange, isSlow = false): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  try {
    for (const bytes of request) socket.write(bytes, 'latin1');
    if (isSlow) await waitsForReader(port);
    const expected = reply.map((bytes) => (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes));
    const length = expected.reduce((sum, bytes) => sum + bytes.length, 0);
    const received = await within(receive(socket, length), () => `no reply of ${length} bytes`);
    expect(received).toEqual({ length, sum: expected.reduce((sum, bytes) => crc32(bytes, sum), 0) });
  } finally {
    socket.destroy();
  }
}

async function waitsForReader(port: number): Promise<void> {
  const other = await RawClient.connect(port);
  await eventually(async () => (await other.list('stats conns')).some((line) => line.endsWith(':state conn_write')), 'the server waits for its reader');
  other.socket.destroy();
}

/** Length and checksum of what arrives, up to so many bytes or the end. */
async function receive(socket: Socket, length: number): Promise<{ length: number; sum: number }> {
  const received = { length: 0, sum: 0 };
  await new Promise<void>((resolve) => {
    socket.on('close', resolve);
    socket.on('data', (chunk: Buffer) => {
      received.length += chunk.length;
      received.sum = crc32(chunk, received.sum);
      if (received.length >= length) resolve();
    });
  });
  return received;
}

function replyPacket(reply: Packet): Buffer {
  const bytes = packet(reply);
  bytes[0] = Magic.reply;
  return bytes;
}
