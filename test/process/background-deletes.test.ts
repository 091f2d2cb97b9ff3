import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../support/check-store.ts';
import { eventually, type Program, type ServerProcess, type Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { serverForEach } from './server-for-each.ts';

/** Deletes give way to others, so they take long where others take all of the machine. */
const PATIENCE_MS = 60_000;

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;
serverForEach((started) => ({ workspace, server, client } = started));

/** Stores items without waiting for each. */
async function store(count: number, prefix: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: server.port });
  await once(socket, 'connect');
  for (let i = 0; i < count; i++) socket.write(`set ${prefix}${i} 0 0 5 noreply\r\nvalue\r\n`);
  socket.end('quit\r\n');
  socket.resume();
  await once(socket, 'close');
  expect(await client.ask('sync')).toBe('OK');
}

function items(): Promise<number> {
  return client.stat('items', 'storage');
}

/** Ends the server as a crash does and starts it again on its port. */
async function crash(): Promise<void> {
  const { port } = server;
  await server.kill();
  server = await workspace.serve({ args: ['--port', String(port)], withoutPort: true });
  client = await RawClient.connect(port);
}

/** Ends the server and compares all that is on disk with itself. */
async function keysOnDisk(): Promise<string[]> {
  expect(await server.stop()).toBe(0);
  return [...(await checkStore(workspace.path('data'))).items.keys()].toSorted();
}

describe('what flush_all made dead', () => {
  it('goes from disk in the background, says how far it is, and goes on after crashes in the middle of that', async () => {
    await store(60_000, 'old:');
    expect(await client.ask('flush_all')).toBe('OK');
    await client.set('new', 'x');
    for (let crashes = 0; crashes < 2; crashes++) {
      const progress = await eventually(async () => {
        const stats = await client.stats('storage');
        return stats.get('flush_reclaim_cursor') !== '-' && stats;
      }, 'some are reclaimed');
      expect(Number(progress.get('flush_reclaimed_items'))).toBeGreaterThan(0);
      expect(progress.get('flush_reclaim_running')).toBe('1');
      expect(Number(progress.get('flush_reclaim_scanned'))).toBeGreaterThanOrEqual(Number(progress.get('flush_reclaimed_items')));
      expect(Buffer.from(progress.get('flush_reclaim_cursor') ?? '', 'hex').toString()).toMatch(/^old:\d+$/);
      const before = await items();
      await crash();
      expect(await items()).toBeGreaterThan(1);
      expect(await items()).toBeLessThanOrEqual(before);
      expect(await client.getMany('old:0', 'old:59999')).toEqual([]);
    }
    await eventually(async () => (await items()) === 1, 'all are reclaimed', PATIENCE_MS);
    await eventually(async () => (await client.stat('flush_reclaim_running', 'storage')) === 0, 'it comes to its end');
    const { flush_reclaim_cursor: cursor, flush_reclaim_scanned: scanned } = Object.fromEntries(await client.stats('storage'));
    expect(cursor).toBe('-');
    expect(Number(scanned)).toBeGreaterThan(0);
    expect(await client.text('new')).toBe('x');
    expect(await keysOnDisk()).toEqual(['new']);
  }, 120_000);
});

describe('deletes by age', () => {
  const COUNT = 4000;
  /** A second, in days. */
  const AGE = (1 / 86_400).toFixed(9);

  /** Looks again and again for what became too old. */
  function startDaemon(...args: string[]): Program {
    return workspace.start(['expire', '-P', String(server.port), '-o', AGE, '--interval', '0.1', '--no-stats', ...args]);
  }

  async function someLeft(below: number): Promise<number> {
    return eventually(async () => {
      const left = await items();
      return left < below && left;
    }, `less than ${below} items left`);
  }

  it('go on when the server crashes in the middle, and when the daemon does, and say how far they are', async () => {
    await store(COUNT, 'old:');
    // A pass that begins before finds nothing old enough, and rests for long.
    await eventually(async () => {
      const [line] = await client.list('expire list 1 - 0 old');
      return Number((await client.list('expire state'))[2]?.split(' ')[2]) - Number(line?.split(' ')[4]) >= 4;
    }, 'all are old enough');
    const slow = startDaemon('--max-rate', '400');
    const beforeCrash = await someLeft(COUNT);
    expect(beforeCrash).toBeGreaterThan(0);
    await eventually(async () => (await client.stats('expire')).get('list_running') === '1', 'the server shows the pass');
    const progress = await client.stats('expire');
    expect(Number(progress.get('list_deleted'))).toBeGreaterThan(0);
    expect(Number(progress.get('list_scanned'))).toBeGreaterThanOrEqual(Number(progress.get('list_deleted')));
    expect(Buffer.from(progress.get('list_cursor') ?? '', 'hex').toString()).toMatch(/^old:\d+$/);

    await crash();
    const afterCrash = await items();
    expect(afterCrash).toBeLessThanOrEqual(beforeCrash);
    const beforeKill = await someLeft(afterCrash);
    await slow.kill();
    expect(beforeKill).toBeGreaterThan(0);
    expect(await items()).toBeGreaterThan(0);

    startDaemon();
    await eventually(async () => (await items()) === 0, 'all are gone');
    await eventually(async () => Number((await client.stats('expire')).get('list_passes')) > 0, 'a pass is over');
    expect(await keysOnDisk()).toEqual([]);
  }, 60_000);
});
