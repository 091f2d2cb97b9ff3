import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient, type SeenItem } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

/** The two ways in which a server may end; both must lose nothing. */
const ends = [
  ['SIGTERM', async (server: ServerProcess) => expect(await server.stop()).toBe(0)],
  ['kill -9', async (server: ServerProcess) => await server.kill()],
] as const;

/** Starts the server again on the same directory. */
async function again(args: readonly string[] = []): Promise<{ server: ServerProcess; client: RawClient }> {
  const server = await workspace.serve({ args });
  return { server, client: await RawClient.connect(server.port) };
}

describe.each(ends)('after %s and a new start', (_name, end) => {
  it('items have value, flags, exptime and cas unique', async () => {
    const { server, client } = await again();
    const large = Buffer.alloc(300_000, 'large\r\n\0');
    await client.set('small', 'value', 7);
    await client.set('large', large, 4_294_967_295);
    await client.set('empty', '');
    await client.set('timed', 'value', 0, 1000);
    await client.set('dated', 'value', 0, 2_000_000_000);
    await client.set('touched', 'value');
    expect(await client.ask('touch touched 5000')).toBe('TOUCHED');
    await client.set('number', '41');
    expect(await client.ask('incr number 1')).toBe('42');
    await client.set('joined', 'b');
    await client.store('append', 'joined', 'c');
    await client.store('prepend', 'joined', 'a');
    await client.set('deleted', 'value');
    expect(await client.ask('delete deleted')).toBe('DELETED');
    const keys = ['small', 'large', 'empty', 'timed', 'dated', 'touched', 'number', 'joined', 'deleted'];
    const before = comparable(await client.getMany(...keys));
    expect(before).toHaveLength(8);
    await client.ask('sync');
    const expiries = await expiriesOf(client);
    await end(server);

    const next = await again();
    expect(comparable(await next.client.getMany(...keys))).toEqual(before);
    expect(await expiriesOf(next.client)).toEqual(expiries);
    expect(expiries.get('dated')).toBe(2_000_000_000);
    expect(expiries.get('touched')).toBeGreaterThan(Date.now() / 1000 + 4900);
    expect(before.find(({ key }) => key === 'large')).toMatchObject({ flags: 4_294_967_295, value: large.toString('latin1') });
  });

  it('a cas unique that a client holds still works, once', async () => {
    const { server, client } = await again();
    await client.set('a', 'one');
    await client.set('b', 'one');
    const [a, b] = await client.getMany('a', 'b');
    await end(server);
    const next = await again();
    expect(await next.client.cas('a', 'two', a?.cas ?? '')).toBe('STORED');
    expect(await next.client.cas('a', 'three', a?.cas ?? '')).toBe('EXISTS');
    expect(await next.client.cas('b', 'two', a?.cas ?? '')).toBe('EXISTS');
    expect(await next.client.text('a')).toBe('two');
    expect(await next.client.get('b')).toEqual(b);
  });

  it('flushed items stay gone and later ones stay', async () => {
    const { server, client } = await again();
    await client.set('before', 'x');
    expect(await client.ask('flush_all')).toBe('OK');
    await client.set('after', 'x');
    await end(server);
    const next = await again();
    expect(await next.client.text('before')).toBeUndefined();
    expect(await next.client.text('after')).toBe('x');
  });

  it('a flush that is to come comes', async () => {
    const { server, client } = await again();
    await client.set('a', 'x');
    const at = Math.floor(Date.now() / 1000) + 3;
    expect(await client.ask('flush_all 3')).toBe('OK');
    await end(server);
    const next = await again();
    const pendingAt = await next.client.stat('flush_pending_at', 'storage');
    const seen = await next.client.text('a');
    // On a slow machine the start may have taken as long.
    if (Date.now() / 1000 < at) {
      expect(pendingAt).toBeGreaterThanOrEqual(at);
      expect(seen).toBe('x');
    }
    await eventually(async () => (await next.client.text('a')) === undefined, 'flush');
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(at);
  });

  it('a flush whose time came meanwhile has come', async () => {
    const { server, client } = await again();
    await client.set('a', 'x');
    expect(await client.ask('flush_all 1')).toBe('OK');
    const due = Date.now() + 2000;
    await end(server);
    await eventually(async () => await Promise.resolve(Date.now() > due), 'time passes');
    const next = await again();
    expect(await next.client.text('a')).toBeUndefined();
    await next.client.set('a', 'y');
    expect(await next.client.text('a')).toBe('y');
  });

  it('an item that expired meanwhile is gone', async () => {
    const { server, client } = await again();
    await client.set('short', 'x', 0, 1);
    await client.set('long', 'x', 0, 100);
    const due = Date.now() + 2000;
    await end(server);
    await eventually(async () => await Promise.resolve(Date.now() > due), 'time passes');
    const next = await again();
    expect(await next.client.text('short')).toBeUndefined();
    expect(await next.client.store('add', 'short', 'y')).toBe('STORED');
    expect(await next.client.text('long')).toBe('x');
  });

  it('counts of items go on', async () => {
    const { server, client } = await again();
    for (let i = 0; i < 20; i++) await client.set(`k${i % 10}`, 'x');
    await client.ask('delete k0');
    const before = await client.stats();
    expect(before.get('total_items')).toBe('20');
    // What is overwritten before LevelDB has it counts once after a crash.
    expect(await client.ask('sync')).toBe('OK');
    await end(server);
    const next = await again();
    const after = await next.client.stats();
    expect(after.get('curr_items')).toBe('9');
    expect(after.get('total_items')).toBe('20');
    expect(after.get('bytes')).toBe(before.get('bytes'));
  });
});

describe('cas uniques', () => {
  it('never repeat over crashes, not even those that only were shown', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const server = await workspace.serve({ args: ['--ack', 'memory'] });
      const client = await RawClient.connect(server.port);
      for (let i = 0; i < 20; i++) {
        await client.set('a', String(i));
        const cas = (await client.get('a'))?.cas ?? '';
        expect(seen.has(cas)).toBe(false);
        seen.add(cas);
      }
      await server.kill();
    }
    expect(seen.size).toBe(100);
  });
});

describe('--ack memory', () => {
  it('loses nothing in an orderly stop', async () => {
    const { server, client } = await again(['--ack', 'memory']);
    const value = 'v'.repeat(2000);
    const commands = Array.from({ length: 3000 }, (_, i) => `set k${i} ${i} 0 ${value.length}\r\n${value}\r\n`);
    client.send(commands.join(''));
    for (let i = 0; i < commands.length; i++) expect(await client.line()).toBe('STORED');
    expect(await server.stop()).toBe(0);
    const next = await again();
    const items = await next.client.getMany(...commands.map((_, i) => `k${i}`));
    expect(items).toHaveLength(commands.length);
    expect(items.every(({ flags, value: stored }, i) => flags === i && stored.length === value.length)).toBe(true);
  });
});

/** Items with their values as text: large buffers take seconds to compare. */
function comparable(items: readonly SeenItem[]): (Omit<SeenItem, 'value'> & { value: string })[] {
  return items.map((item) => ({ ...item, value: item.value.toString('latin1') }));
}

/** Expiry times by key, as the server knows them. */
async function expiriesOf(client: RawClient): Promise<Map<string, number>> {
  const lines = await client.list('expire list 100 - 0');
  return new Map(lines.slice(0, -1).map((line) => [line.split(' ')[1] ?? '', Number(line.split(' ')[3])]));
}
