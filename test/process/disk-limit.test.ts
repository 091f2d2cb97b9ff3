import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../wire/raw-client.ts';
import { bytesUnder } from '../support/bytes-under.ts';
import { eventually, Workspace } from '../support/process.ts';

const LIMIT = 128 * 2 ** 20;
const VALUE = Buffer.alloc(30_000, 'v');
/** More than the limit, of values that take little work each. */
const SETS = 7000;
/** The same of several clients: enough to fill the store and go on. */
const SETS_TOGETHER = 5000;
/** Sets on a store that is full already. */
const SETS_MORE = 2000;
/** A full disk and a busy machine take their time. */
const PATIENCE_MS = 90_000;
/** Sets that are on their way at once. */
const BATCH = 100;

let workspace: Workspace | undefined;

afterEach(async () => {
  await workspace?.close();
});

/** Stores items; gives back how many were stored, and the most bytes there were on disk. */
async function fill(client: RawClient, directory: string, sets: number): Promise<{ stored: number; most: number }> {
  let stored = 0;
  let most = 0;
  for (let i = 0; i < sets; i += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, j) => Buffer.concat([Buffer.from(`set k${i + j} 0 0 ${VALUE.length}\r\n`), VALUE, Buffer.from('\r\n')]));
    client.send(Buffer.concat(batch));
    for (let j = 0; j < BATCH; j++) if ((await client.line()) === 'STORED') stored++;
    most = Math.max(most, bytesUnder(directory));
  }
  return { stored, most };
}

/** Has several clients store at once, each as fast as it is answered; gives back how many stores were answered in which way. */
async function fillTogether(port: number, clients: number): Promise<Map<string, number>> {
  const answers = new Map<string, number>();
  const writer = async (name: number): Promise<void> => {
    const client = await RawClient.connect(port);
    for (let i = 0; i < SETS_TOGETHER / clients; i++) {
      client.send(Buffer.concat([Buffer.from(`set c${name}:${i} 0 0 ${VALUE.length}\r\n`), VALUE, Buffer.from('\r\n')]));
      const answer = (await client.line()) ?? '';
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, name) => writer(name)));
  return answers;
}

describe('--disk-limit', () => {
  it('slows down writers that are faster than eviction, and refuses none', async () => {
    workspace = new Workspace();
    const server = await workspace.serve({ args: ['--disk-limit', '128m', '-m', '8'] });
    const reader = await RawClient.connect(server.port);
    await reader.set('read', 'x');
    const filled = new AbortController();
    const filling = fillTogether(server.port, 20).finally(() => filled.abort());
    let reads = 0;
    let most = 0;
    for (; !filled.signal.aborted; reads++) {
      expect(await reader.ask('mn')).toBe('MN');
      expect(await reader.ask('mg none')).toBe('EN');
      if (reads % 50 === 0) most = Math.max(most, bytesUnder(workspace.path('data')));
    }
    expect(Object.fromEntries(await filling)).toEqual({ STORED: SETS_TOGETHER });
    expect(most).toBeLessThan(LIMIT);
    expect(reads).toBeGreaterThan(100);
    const stats = await reader.stats('storage');
    expect([stats.get('disk_times_full'), stats.get('disk_stores_waiting')]).toEqual(['0', '0']);
  }, PATIENCE_MS);

  it('bounds the bytes on disk by evicting what is old, over a restart too', async () => {
    workspace = new Workspace();
    const args = ['--disk-limit', '128m', '-m', '8'];
    const server = await workspace.serve({ args });
    const client = await RawClient.connect(server.port);
    const { stored, most } = await fill(client, workspace.path('data'), SETS);
    expect(most).toBeLessThan(LIMIT);
    expect(stored).toBeGreaterThan(SETS / 2);
    const stats = await client.stats();
    expect(Number(stats.get('evictions'))).toBeGreaterThan(500);
    expect(await client.ask('mg k0')).toBe('EN');
    await server.kill();
    const again = await workspace.serve({ args });
    const after = await RawClient.connect(again.port);
    expect(Number((await after.stats('storage')).get('evicted_total'))).toBeGreaterThan(500);
    expect((await fill(after, workspace.path('data'), SETS_MORE)).most).toBeLessThan(LIMIT);
  }, PATIENCE_MS);

  it('with -M refuses stores and keeps everything', async () => {
    workspace = new Workspace();
    const server = await workspace.serve({ args: ['--disk-limit', '128m', '-m', '8', '-M'] });
    const client = await RawClient.connect(server.port);
    const { stored, most } = await fill(client, workspace.path('data'), SETS);
    expect(most).toBeLessThan(LIMIT);
    expect(stored).toBeLessThan(SETS);
    expect(await client.ask(`set late 0 0 ${VALUE.length}\r\n${VALUE.toString('latin1')}`)).toBe('SERVER_ERROR out of memory storing object');
    const stats = await client.stats();
    expect([stats.get('evictions'), stats.get('curr_items')]).toEqual(['0', String(stored)]);
    expect(Number(stats.get('store_no_memory'))).toBe(SETS - stored + 1);
    expect(await client.ask('mg k0 s')).toBe(`HD s${VALUE.length}`);
    expect(await client.ask('delete k0')).toBe('DELETED');
  }, PATIENCE_MS);

  it('is kept by the daemon where there is one, which tells how many items it had evicted', async () => {
    workspace = new Workspace();
    const server = await workspace.serve({ args: ['--disk-limit', '128m', '-m', '8'] });
    const daemon = workspace.start(['expire', '-P', String(server.port), '--interval', '0.2', '--stats-port', '0']);
    const started = await daemon.logged('expiry daemon started');
    const client = await RawClient.connect(server.port);
    await eventually(async () => (await client.stats('expire')).has('report_age'), 'a report');
    const from = await client.stat('disk_evict_from_bytes', 'storage');
    const { stored } = await fill(client, workspace.path('data'), Math.ceil(from / VALUE.length / BATCH) * BATCH);
    const stats = await RawClient.connect(Number(String(started['stats']).split(':').at(-1)));
    const evicted = await eventually(async () => (await stats.stat('items_evicted')) || undefined, 'items_evicted');
    await eventually(async () => (await client.stat('disk_used_bytes', 'storage')) < from, 'room');
    expect(await client.stat('evictions')).toBeGreaterThanOrEqual(evicted);
    expect(await client.ask('mg k0')).toBe('EN');
    expect(await client.ask(`mg k${stored - 1} s`)).toBe(`HD s${VALUE.length}`);
    // The server had no need to evict by itself.
    expect(server.log.filter(({ msg }) => String(msg).includes('disk limit'))).toEqual([]);
  }, PATIENCE_MS);
});
