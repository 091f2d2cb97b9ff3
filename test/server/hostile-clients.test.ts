import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Magic, Opcode } from '../../src/protocol/binary-header.ts';
import { packet } from '../support/binary-client.ts';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

const MB = 2 ** 20;
const BIG = 900_000;

/** A connection that reads nothing and does not mind how it ends. */
async function silent(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

function silents(port: number, count: number): Promise<Socket[]> {
  return Promise.all(Array.from({ length: count }, () => silent(port)));
}

async function statOf(client: TestClient, group: string, name: string): Promise<number> {
  const reply = await client.ask(`stats ${group}\r\n`, 'END\r\n');
  return Number(new RegExp(`^STAT ${name} (\\d+)`, 'm').exec(reply)?.[1]);
}

async function storeBig(client: TestClient, key: string): Promise<string> {
  return client.ask(`set ${key} 0 0 ${BIG}\r\n${'x'.repeat(BIG)}\r\n`);
}

describe('a command of many keys', () => {
  it.each([
    ['that are not there', ''],
    ['of 100 bytes', 'v'.repeat(100)],
  ])('lets others have their turn before it is answered: 10,000 keys %s', async (_what, value) => {
    const { port } = await startTestServer({ memory: 64 });
    const greedy = await TestClient.connect(port);
    const other = await TestClient.connect(port);
    const names = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
    if (value !== '') await greedy.ask(`${names.map((name) => `set ${name} 0 0 100 noreply\r\n${value}\r\n`).join('')}mn\r\n`, 'MN\r\n');
    const request = `get ${names.join(' ')}\r\n`;
    // Once before: what is on disk is in memory then, and nothing but other clients can be waited for.
    await greedy.ask(request, 'END\r\n');
    const before = await statOf(other, '', 'conn_yields');
    // What is asked for first would be answered first.
    const order: string[] = [];
    const answered = greedy.ask(request, 'END\r\n').then(() => order.push('10,000 keys'));
    await other.ask('mn\r\n').then(() => order.push('other'));
    await answered;
    expect(order).toEqual(['other', '10,000 keys']);
    expect((await statOf(other, '', 'conn_yields')) - before).toBeGreaterThanOrEqual(9);
  });

  it('does not read all its large values from disk at once', async () => {
    const { port } = await startTestServer({ memory: 8, ramTier: false });
    const client = await TestClient.connect(port);
    for (let i = 0; i < 20; i++) await storeBig(client, `big${i}`);
    const before = await statOf(client, 'storage', 'values_read');
    const slow = await silent(port);
    slow.write(`get ${Array.from({ length: 20 }, (_, i) => `big${i}`).join(' ')}\r\n`);
    await eventually(async () => (await client.ask('stats conns\r\n', 'END\r\n')).includes('conn_write'), 'the reader is waited for');
    const read = (await statOf(client, 'storage', 'values_read')) - before;
    const written = await statOf(client, '', 'bytes_written');
    expect(read).toBeLessThanOrEqual(Math.ceil(written / BIG) + 1);
    slow.destroy();
  });
});

/** How many replies another client gets, which asks one small thing after the other, until something is over. */
async function repliesBefore(port: number, isOver: () => boolean): Promise<number> {
  const other = await TestClient.connect(port);
  let replies = 0;
  while (!isOver()) {
    await other.ask('mn\r\n');
    if (!isOver()) replies++;
  }
  return replies;
}

describe('stats prefixes', () => {
  /** Asks, and gives back the reply and how many replies of another client came before its first byte. */
  async function ask(port: number, question: string, end: string): Promise<{ reply: string; before: number }> {
    const client = await TestClient.connect(port);
    let hasBegun = false;
    client.socket.once('data', () => (hasBegun = true));
    const reply = client.ask(question, end);
    const before = await repliesBefore(port, () => hasBegun);
    return { reply: await reply, before };
  }

  const NAMES = ['limit', 'bytes', 'items', 'counted', 'gets', 'hits', 'sets', 'evictions', 'refused'];
  const quotas = Array.from({ length: 10_000 }, (_, i) => ({ prefix: `tenant${i}:`, bytes: 2 ** 40 }));

  it('lets others have their turns before it is answered: 10,000 quotas', async () => {
    const { port } = await startTestServer({ quotas });
    const { reply, before } = await ask(port, 'stats prefixes\r\n', 'END\r\n');
    expect(before).toBeGreaterThanOrEqual(10);
    const lines = reply.split('\r\n');
    expect(lines).toHaveLength(9 * quotas.length + 4);
    // In order, and each in whole: nothing is left out where two parts meet.
    const prefixes = lines.filter((line) => line.includes(':limit ')).map((line) => line.split(':')[1]);
    expect(prefixes).toEqual(quotas.map(({ prefix }) => prefix).toSorted().map(encodeURIComponent));
    expect(lines.slice(0, 18).map((line) => line.split(':')[2]?.split(' ')[0])).toEqual([...NAMES, ...NAMES]);
  });

  it('does so in the binary protocol', async () => {
    const { port } = await startTestServer({ quotas });
    const end = packet({ opcode: Opcode.stat, key: '' });
    end[0] = Magic.reply;
    const { reply, before } = await ask(port, packet({ opcode: Opcode.stat, key: 'prefixes' }).toString('latin1'), end.toString('latin1'));
    expect(before).toBeGreaterThanOrEqual(30);
    expect(reply.split('quota:')).toHaveLength(9 * quotas.length + 1);
  });

  it('picks the most used of very many prefixes in steps', async () => {
    const { port } = await startTestServer({ detail: true });
    const client = await TestClient.connect(port);
    const count = 40_000;
    for (let i = 0; i < count; i += 1000) await client.ask(`get ${Array.from({ length: 1000 }, (_, k) => `p${i + k}:x`).join(' ')}\r\n`, 'END\r\n');
    // Used most: every 32nd, 1250 of them, of which those that come first by name are shown.
    const used = Array.from({ length: count / 32 }, (_, i) => `p${32 * i}`);
    await client.ask(`get ${used.map((prefix) => `${prefix}:x`).join(' ')}\r\n`, 'END\r\n');
    const { reply, before } = await ask(port, 'stats prefixes\r\n', 'END\r\n');
    expect(before).toBeGreaterThanOrEqual(5);
    expect(reply).toContain(`STAT prefixes_seen ${count}\r\nSTAT prefixes_shown 1000\r\n`);
    expect([...reply.matchAll(/^STAT prefix:(\w+):gets 2\r$/gm)].map((match) => match[1])).toEqual(used.toSorted().slice(0, 1000));
  });
});

describe('expire delete', () => {
  it('is answered before it has deleted anything, and others have their turns meanwhile', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const count = 5000;
    await client.ask(`${Array.from({ length: count }, (_, i) => `set k${i} 0 0 1 noreply\r\nx\r\n`).join('')}mn\r\n`, 'MN\r\n');
    expect(await client.ask('expire delete k\r\n')).toMatch(/^JOB \d+\r\n$/);
    const seen = new Set<number>();
    for (let state = ''; state !== 'done'; ) {
      const job = /^JOB \d+ k (\d+) \d+ (\w+)\r$/m.exec(await client.ask('expire jobs\r\n', 'END\r\n'))!;
      seen.add(Number(job[1]));
      state = job[2]!;
    }
    expect(Math.max(...seen)).toBe(count);
    // It goes in steps of 32 items; some pass while a reply is on its way.
    expect(seen.size).toBeGreaterThan(10);
  });
});

describe('a pipeline', () => {
  it('of stats lets others have their turn before it is answered', async () => {
    const { port } = await startTestServer();
    const greedy = await TestClient.connect(port);
    const other = await TestClient.connect(port);
    await greedy.ask('mn\r\n');
    await other.ask('mn\r\n');
    const order: string[] = [];
    const answered = greedy.ask(`${'stats settings\r\n'.repeat(300)}mn\r\n`, 'MN\r\n').then(() => order.push('300 stats'));
    await other.ask('mn\r\n').then(() => order.push('other'));
    await answered;
    expect(order).toEqual(['other', '300 stats']);
  });

  it('of 100,000 requests in one write is answered to the last', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    client.send('mn\r\n'.repeat(100_000));
    expect(await client.receive(400_000)).toBe('MN\r\n'.repeat(100_000));
  });
});

describe('memory for connections', () => {
  it('goes to nobody any more once its clients are gone, in the middle of a data block or with replies unread', async () => {
    const { port } = await startTestServer({ memory: 64 });
    const client = await TestClient.connect(port);
    await storeBig(client, 'big');
    const uploading = await silent(port);
    uploading.write(`set other 0 0 ${BIG}\r\n${'x'.repeat(500_000)}`);
    const unread = await silent(port);
    unread.write('get big\r\n'.repeat(50));
    await eventually(async () => (await statOf(client, 'load', 'connection_memory_bytes')) >= 1_000_000, 'memory is held');
    uploading.destroy();
    unread.resetAndDestroy();
    await eventually(async () => (await statOf(client, 'load', 'connection_memory_bytes')) === 0, 'it is free again');
  });

  it('is given back to clients that read late: all replies come', async () => {
    const { port } = await startTestServer({ memory: 64, connectionMemory: 4 * MB });
    const client = await TestClient.connect(port);
    await storeBig(client, 'big');
    const late = await Promise.all(Array.from({ length: 8 }, () => TestClient.connect(port)));
    const length = 8 * `VALUE big 0 ${BIG}\r\n${'x'.repeat(BIG)}\r\nEND\r\n`.length;
    const replies = late.map((each) => {
      each.send('get big\r\n'.repeat(8));
      return each.receive(length);
    });
    expect((await Promise.all(replies)).map((reply) => reply.length)).toEqual(late.map(() => length));
    expect(await statOf(client, 'load', 'connection_memory_closed')).toBe(0);
  });

  it('is taken from those that hold most, and small requests never wait for it', async () => {
    const { port } = await startTestServer({ memory: 64, connectionMemory: 4 * MB });
    const client = await TestClient.connect(port);
    await storeBig(client, 'big');
    const stopped = await silents(port, 10);
    for (const socket of stopped) socket.write(`set other 0 0 ${BIG}\r\n${'x'.repeat(BIG - 10)}`);
    await eventually(async () => (await statOf(client, 'load', 'connection_memory_waits')) > 0, 'uploads wait');
    expect(await client.ask('set small 0 0 1\r\nx\r\n')).toBe('STORED\r\n');
    expect(await client.ask('get small\r\n', 'END\r\n')).toBe('VALUE small 0 1\r\nx\r\nEND\r\n');
    expect(await storeBig(client, 'mine')).toBe('STORED\r\n');
    expect((await client.ask('get mine\r\n', 'END\r\n')).length).toBeGreaterThan(BIG);
    expect(await statOf(client, 'load', 'connection_memory_closed')).toBeGreaterThan(0);
    expect(await statOf(client, 'load', 'connection_memory_peak_bytes')).toBeLessThan(4 * MB + 10 * 64 * 1024 + MB);
    for (const socket of stopped) socket.destroy();
  });

  // All who held it waited for it as well, so nobody was taken for standing still.
  it('is taken from those who all wait for more of it', async () => {
    const { port } = await startTestServer({ memory: 64, connectionMemory: 4 * MB });
    const client = await TestClient.connect(port);
    const stopped = await silents(port, 100);
    for (const socket of stopped) socket.write(`set other 0 0 ${BIG}\r\n${'x'.repeat(BIG - 1)}`);
    await eventually(async () => (await statOf(client, 'load', 'connection_memory_closed')) > 0, 'some are closed');
    for (const socket of stopped) socket.destroy();
  });
});

describe('--connections', () => {
  it('turns the rest away, counts them, and leaves nothing open', async () => {
    const { port } = await startTestServer({ connections: 10 });
    const client = await TestClient.connect(port);
    // LevelDB's files come and go meanwhile.
    const countSockets = (): number => readdirSync('/proc/self/fd').filter((fd) => isSocket(`/proc/self/fd/${fd}`)).length;
    await client.ask('mn\r\n');
    const before = existsSync('/proc/self/fd') ? countSockets() : undefined;
    let refused = 0;
    for (let round = 0; round < 20; round++) {
      const crowd = await Promise.all(Array.from({ length: 20 }, () => TestClient.connect(port)));
      const replies = await Promise.all(crowd.map((each) => each.ask('mn\r\n')));
      refused += replies.filter((reply) => reply === 'ERROR Too many open connections\r\n').length;
      for (const { socket } of crowd) socket.destroy();
      await eventually(async () => (await statOf(client, '', 'curr_connections')) === 1, 'they are gone');
    }
    expect(refused).toBe(20 * 11);
    expect(await statOf(client, '', 'rejected_connections')).toBe(refused);
    expect(await statOf(client, '', 'total_connections')).toBe(401);
    if (before !== undefined) await eventually(async () => countSockets() <= before, 'their sockets are closed');
  });
});

function isSocket(descriptor: string): boolean {
  try {
    return readlinkSync(descriptor).startsWith('socket:');
  } catch {
    // The one that the listing was made with.
    return false;
  }
}

describe.skipIf(!existsSync('/proc/self/status'))('the memory of a server', () => {
  let workspace: Workspace;
  beforeEach(() => {
    workspace = new Workspace();
  });
  afterEach(async () => {
    await workspace.close();
  });

  const rss = (server: ServerProcess): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))![1]) * 1024;

  it('stays bounded when 150 clients ask for 150 GB and read nothing, and others are served', async () => {
    const server = await workspace.serve({ args: ['-m', '64', '--connection-memory', '8m'] });
    const client = await TestClient.connect(server.port);
    await storeBig(client, 'big');
    await client.ask('set small 0 0 1\r\nx\r\n');
    const before = rss(server);
    for (const socket of await silents(server.port, 150)) socket.write('get big\r\n'.repeat(1000));
    let most = 0;
    await eventually(async () => {
      most = Math.max(most, rss(server));
      expect(await client.ask('get small\r\n', 'END\r\n')).toBe('VALUE small 0 1\r\nx\r\nEND\r\n');
      return (await statOf(client, 'load', 'connection_memory_closed')) > 0;
    }, 'those that hold most are closed');
    // 8 MB, and what the collector has not taken yet; 1 MB and a value of each client would be 300 MB.
    expect(most - before).toBeLessThan(100 * MB);
  }, 90_000);

  it('grows with what uploads have sent, not with what they announce', async () => {
    const server = await workspace.serve({ args: ['-m', '64'] });
    const client = await TestClient.connect(server.port);
    await client.ask('mn\r\n');
    const before = rss(server);
    for (const [i, socket] of (await silents(server.port, 500)).entries()) socket.write(`set slow${i} 0 0 ${BIG}\r\nx`);
    await eventually(async () => (await client.ask('stats conns\r\n', 'END\r\n')).split('conn_nread').length === 501, 'all have announced 900 KB');
    expect(await storeBig(client, 'mine')).toBe('STORED\r\n');
    // Announced: 450 MB.
    expect(rss(server) - before).toBeLessThan(60 * MB);
  });
});
