import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';

/** The parts of the npm package `memcached` that are used here; it has no types of its own. */
interface MemcachedClient {
  end(): void;
}

type Method = (...parameters: unknown[]) => void;

const Memcached = createRequire(import.meta.url)('memcached') as new (server: string, options?: object) => MemcachedClient;

let workspace: Workspace;
let server: ServerProcess;
let client: MemcachedClient;

beforeEach(async () => {
  workspace = new Workspace();
  await serve();
});

afterEach(async () => {
  client.end();
  await workspace.close();
});

/** Starts the server, or starts it again, and connects. */
async function serve(): Promise<void> {
  server = await workspace.serve({ args: ['-I', '4m'] });
  client = new Memcached(`127.0.0.1:${server.port}`, { maxValue: 4 * 2 ** 20, timeout: 10_000, poolSize: 10 });
}

/** Calls a method of the client that takes a callback. */
function call(method: string, ...parameters: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const found = (client as unknown as Record<string, Method>)[method];
    if (found === undefined) throw new TypeError(`no method ${method}`);
    found.call(client, ...parameters, (error: Error | undefined | null, result: unknown) => {
      if (error === undefined || error === null) resolve(result);
      else reject(error);
    });
  });
}

describe('the npm client memcached', () => {
  it('set, get, add, replace, append, prepend, del', async () => {
    expect(await call('set', 'a', 'one', 0)).toBe(true);
    expect(await call('get', 'a')).toBe('one');
    await expect(call('add', 'a', 'two', 0)).rejects.toThrow('not stored');
    expect(await call('add', 'b', 'two', 0)).toBe(true);
    expect(await call('replace', 'a', 'three', 0)).toBe(true);
    await expect(call('replace', 'nothing', 'x', 0)).rejects.toThrow('not stored');
    expect(await call('append', 'a', '!')).toBe(true);
    expect(await call('prepend', 'a', '?')).toBe(true);
    expect(await call('get', 'a')).toBe('?three!');
    expect(await call('del', 'a')).toBe(true);
    expect(await call('del', 'a')).toBe(false);
    expect(await call('get', 'a')).toBeUndefined();
  });

  it('keeps the kinds of values by flags: numbers, objects, buffers', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await call('set', 'number', 42, 0);
    await call('set', 'object', { list: [1, 'ü'] }, 0);
    await call('set', 'buffer', bytes, 0);
    expect(await call('get', 'number')).toBe(42);
    expect(await call('get', 'object')).toEqual({ list: [1, 'ü'] });
    expect((await call('get', 'buffer')) as Buffer).toEqual(bytes);
  });

  it('gets and cas', async () => {
    await call('set', 'a', 'one', 0);
    const seen = (await call('gets', 'a')) as { a: string; cas: string };
    expect(seen.a).toBe('one');
    expect(await call('cas', 'a', 'two', seen.cas, 0)).toBe(true);
    expect(await call('cas', 'a', 'three', seen.cas, 0)).toBe(false);
    expect(await call('get', 'a')).toBe('two');
  });

  it('incr, decr, touch', async () => {
    await call('set', 'n', 10, 0);
    expect(await call('incr', 'n', 5)).toBe(15);
    expect(await call('decr', 'n', 10)).toBe(5);
    expect(await call('incr', 'nothing', 1)).toBe(false);
    expect(await call('touch', 'n', 100)).toBe(true);
  });

  it('multi-get, big values', async () => {
    const big = 'x'.repeat(3_000_000);
    await call('set', 'big', big, 0);
    for (let i = 0; i < 50; i++) await call('set', `k${i}`, `v${i}`, 0);
    const found = (await call('getMulti', ['big', 'nothing', ...Array.from({ length: 50 }, (_, i) => `k${i}`)])) as Record<string, string>;
    expect(Object.keys(found)).toHaveLength(51);
    expect(found['k49']).toBe('v49');
    expect(found['big'] === big).toBe(true);
  });

  it('flush, version, stats, settings', async () => {
    await call('set', 'a', 'x', 0);
    expect(await call('flush')).toEqual([true]);
    expect(await call('get', 'a')).toBeUndefined();
    expect(await call('version')).toMatchObject([{ version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string }]);
    expect(await call('stats')).toMatchObject([{ curr_items: expect.any(Number) as number, threads: 1 }]);
    expect(await call('settings')).toMatchObject([{ item_size_max: 4 * 2 ** 20 }]);
  });

  it('many operations at once', async () => {
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    await Promise.all(numbers.map((i) => call('set', `k${i}`, `value ${i}`, 0)));
    expect(await Promise.all(numbers.map((i) => call('get', `k${i}`)))).toEqual(numbers.map((i) => `value ${i}`));
    await call('set', 'n', 0, 0);
    await Promise.all(numbers.map(() => call('incr', 'n', 1)));
    expect(await call('get', 'n')).toBe(500);
  });

  it('items expire, unless they are touched; keys of 250 bytes', async () => {
    const longKey = 'k'.repeat(250);
    // Two seconds: the first may be over at once, as seconds of the clock count.
    await call('set', 'touched', 'x', 2);
    await call('set', longKey, 'x', 2);
    await call('touch', 'touched', 100);
    expect(await call('get', longKey)).toBe('x');
    await eventually(async () => (await call('get', longKey)) === undefined, 'expiry of the long key');
    expect(await call('get', 'touched')).toBe('x');
  });

  it('finds its items after a restart of the server', async () => {
    const large = 'x'.repeat(900_000);
    await call('set', 'object', { list: [1, 'ü'] }, 1000);
    await call('set', 'large', large, 0);
    await call('set', 'n', 41, 0);
    client.end();
    expect(await server.stop()).toBe(0);
    await serve();
    expect(await call('get', 'object')).toEqual({ list: [1, 'ü'] });
    expect((await call('get', 'large')) === large).toBe(true);
    expect(await call('incr', 'n', 1)).toBe(42);
  });
});
