import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';

/** The parts of the npm package `memjs` that are used here; it speaks the binary protocol. */
interface MemjsClient {
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: Buffer | string, options: { expires?: number }): Promise<boolean>;
  add(key: string, value: string, options: { expires?: number }): Promise<boolean>;
  replace(key: string, value: string, options: { expires?: number }): Promise<boolean>;
  append(key: string, value: string): Promise<boolean>;
  prepend(key: string, value: string): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  touch(key: string, expires: number): Promise<boolean>;
  increment(key: string, amount: number, options: { initial?: number }): Promise<{ success: boolean; value: number | null }>;
  decrement(key: string, amount: number, options: { initial?: number }): Promise<{ success: boolean; value: number | null }>;
  flush(): Promise<unknown>;
  statsWithKey(key: string, callback: (error: Error | null, server: string, stats: Record<string, string>) => void): void;
  quit(): void;
}

const { Client } = createRequire(import.meta.url)('memjs') as { Client: { create(server: string, options?: object): MemjsClient } };

let workspace: Workspace;
let server: ServerProcess;
let client: MemjsClient;

beforeEach(async () => {
  workspace = new Workspace();
  server = await workspace.serve();
  client = connect(server);
});

afterEach(async () => {
  client.quit();
  await workspace.close();
});

function connect(...servers: ServerProcess[]): MemjsClient {
  const names = servers.map(({ port }) => `127.0.0.1:${port}`);
  // It logs each answer that is an error.
  return Client.create(names.join(','), { timeout: 10, conntimeout: 10, logger: { log: () => undefined } });
}

describe('the npm client memjs', () => {
  it('set, get, add, replace, append, prepend, touch, delete', async () => {
    expect(await client.set('a', 'one', { expires: 0 })).toBe(true);
    expect((await client.get('a')).value?.toString()).toBe('one');
    expect(await client.add('a', 'two', {})).toBe(false);
    expect(await client.add('b', 'two', {})).toBe(true);
    expect(await client.replace('b', 'three', {})).toBe(true);
    expect(await client.replace('c', 'x', {})).toBe(false);
    expect(await client.append('b', '!')).toBe(true);
    expect((await client.get('b')).value?.toString()).toBe('three!');
    // Its prepend sends the opcode of append, so nothing can be told of the order.
    expect(await client.prepend('b', '?')).toBe(true);
    expect((await client.get('b')).value).toHaveLength('?three!'.length);
    expect(await client.touch('b', 100)).toBe(true);
    expect(await client.delete('b')).toBe(true);
    expect(await client.delete('b')).toBe(false);
    expect((await client.get('b')).value).toBeNull();
  });

  it('counts, from an initial value on', async () => {
    expect(await client.increment('n', 5, { initial: 10 })).toMatchObject({ success: true, value: 10 });
    expect(await client.increment('n', 5, {})).toMatchObject({ success: true, value: 15 });
    expect(await client.decrement('n', 100, {})).toMatchObject({ success: true, value: 0 });
  });

  it('carries binary values, many at once', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 256));
    const keys = Array.from({ length: 50 }, (_, i) => `key${i}`);
    await Promise.all(keys.map((key) => client.set(key, Buffer.concat([Buffer.from(key), bytes]), { expires: 60 })));
    const values = await Promise.all(keys.map((key) => client.get(key)));
    values.forEach(({ value }, i) => expect(value?.equals(Buffer.concat([Buffer.from(`key${i}`), bytes]))).toBe(true));
    await client.flush();
    expect((await client.get('key1')).value).toBeNull();
  });

  it('keeps a value of 900 KB, keys of 250 bytes; says when a value is too large, and goes on', async () => {
    const large = Buffer.alloc(900_000, 'large\r\n\0');
    const longKey = 'k'.repeat(250);
    expect(await client.set(longKey, large, {})).toBe(true);
    expect((await client.get(longKey)).value?.equals(large)).toBe(true);
    await expect(client.set('too large', Buffer.alloc(2_000_000), {})).rejects.toThrow(/SET/);
    expect((await client.get(longKey)).value).toHaveLength(large.length);
    await expect(client.append('nothing', 'x')).rejects.toThrow(/APPEND/);
  });

  it('items expire, unless they are touched', async () => {
    // Two seconds: the first may be over at once, as seconds of the clock count.
    await client.set('touched', 'x', { expires: 2 });
    await client.set('short', 'x', { expires: 2 });
    expect(await client.touch('touched', 100)).toBe(true);
    expect(await client.touch('nothing', 100)).toBe(false);
    await eventually(async () => (await client.get('short')).value === null, 'expiry of "short"');
    expect((await client.get('touched')).value?.toString()).toBe('x');
  });

  it('several clients add up exactly', async () => {
    const others = Array.from({ length: 4 }, () => connect(server));
    await client.set('n', '0', {});
    await Promise.all(others.flatMap((other) => Array.from({ length: 100 }, () => other.increment('n', 3, {}))));
    expect((await client.get('n')).value?.toString()).toBe('1200');
    for (const other of others) other.quit();
  });

  it('stats, of a kind too, and their reset', async () => {
    const stats = (key: string): Promise<Record<string, string>> =>
      new Promise((resolve, reject) => {
        client.statsWithKey(key, (error, _server, found) => (error === null ? resolve(found) : reject(error)));
      });
    await client.get('nothing');
    expect(await stats('')).toMatchObject({ get_misses: '1', threads: '1' });
    expect(await stats('settings')).toMatchObject({ item_size_max: '1048576' });
    await stats('reset');
    expect(await stats('')).toMatchObject({ get_misses: '0' });
  });

  it('distributes over two servers', async () => {
    const other = await workspace.serve({ directory: 'other' });
    const both = connect(server, other);
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    await Promise.all(keys.map((key) => both.set(key, key, {})));
    const values = await Promise.all(keys.map(async (key) => (await both.get(key)).value?.toString()));
    expect(values).toEqual(keys);
    const here = await Promise.all(keys.map(async (key) => (await client.get(key)).value !== null));
    const count = here.filter(Boolean).length;
    expect(count).toBeGreaterThan(20);
    expect(count).toBeLessThan(80);
    both.quit();
  });

  it('finds its items after a restart of the server', async () => {
    const large = Buffer.alloc(900_000, 'kept');
    await client.set('kept', 'one', { expires: 1000 });
    await client.set('large', large, {});
    await client.set('n', '41', {});
    client.quit();
    expect(await server.stop()).toBe(0);
    server = await workspace.serve();
    client = connect(server);
    expect((await client.get('kept')).value?.toString()).toBe('one');
    expect((await client.get('large')).value?.equals(large)).toBe(true);
    expect(await client.increment('n', 1, {})).toMatchObject({ success: true, value: 42 });
  });
});
