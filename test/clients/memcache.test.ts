import { Memcache } from 'memcache';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;
let server: ServerProcess;
let client: Memcache;
let raw: RawClient;

beforeEach(async () => {
  workspace = new Workspace();
  await serve();
});

afterEach(async () => {
  await client.disconnect();
  await workspace.close();
});

/** Starts the server, or starts it again, and connects. */
async function serve(): Promise<void> {
  server = await workspace.serve({ args: ['-I', '4m'] });
  client = new Memcache({ nodes: [`127.0.0.1:${server.port}`], timeout: 10_000 });
  raw = await RawClient.connect(server.port);
}

describe('the npm client memcache', () => {
  it('set, get, add, replace, append, prepend, delete', async () => {
    expect(await client.set('a', 'one')).toBe(true);
    expect(await client.get('a')).toBe('one');
    expect(await client.add('a', 'two')).toBe(false);
    expect(await client.add('b', 'two')).toBe(true);
    expect(await client.replace('a', 'three')).toBe(true);
    expect(await client.replace('nothing', 'x')).toBe(false);
    expect(await client.append('a', '!')).toBe(true);
    expect(await client.prepend('a', '?')).toBe(true);
    expect(await client.get('a')).toBe('?three!');
    expect(await client.delete('a')).toBe(true);
    expect(await client.delete('a')).toBe(false);
    expect(await client.get('a')).toBeUndefined();
  });

  it('cas', async () => {
    await client.set('a', 'one', 0, 7);
    const seen = await raw.get('a');
    expect(seen?.flags).toBe(7);
    expect(await client.cas('a', 'two', seen?.cas ?? '')).toBe(true);
    expect(await client.cas('a', 'three', seen?.cas ?? '')).toBe(false);
    expect(await client.get('a')).toBe('two');
  });

  it('incr, decr, touch', async () => {
    await client.set('n', '10');
    expect(await client.incr('n', 5)).toBe(15);
    expect(await client.decr('n', 10)).toBe(5);
    expect(await client.incr('nothing')).toBeUndefined();
    expect(await client.touch('n', 100)).toBe(true);
    expect(await client.touch('nothing', 100)).toBe(false);
  });

  it('multi-get, big values, values with line ends', async () => {
    const big = 'x'.repeat(3_000_000);
    await client.set('big', big);
    await client.set('lines', 'END\r\nVALUE a 0 1\r\nx\r\nEND\r\n');
    for (let i = 0; i < 50; i++) await client.set(`k${i}`, `v${i}`);
    const found = await client.gets(['nothing', ...Array.from({ length: 50 }, (_, i) => `k${i}`)]);
    expect(found.size).toBe(50);
    expect(found.get('k49')).toBe('v49');
    expect((await client.get('big')) === big).toBe(true);
    expect(await raw.text('lines')).toBe('END\r\nVALUE a 0 1\r\nx\r\nEND\r\n');
  });

  it('flush, version, stats', async () => {
    await client.set('a', 'x');
    expect(await client.flush()).toBe(true);
    expect(await client.get('a')).toBeUndefined();
    expect([...(await client.version()).values()]).toEqual([expect.stringMatching(/\d+\.\d+\.\d+/)]);
    const [stats] = (await client.stats()).values();
    expect(stats).toMatchObject({ cmd_flush: '1', threads: '1' });
  });

  it('many operations at once', async () => {
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    expect(new Set(await Promise.all(numbers.map((i) => client.set(`k${i}`, `value ${i}`))))).toEqual(new Set([true]));
    expect(await Promise.all(numbers.map((i) => client.get(`k${i}`)))).toEqual(numbers.map((i) => `value ${i}`));
    await client.set('n', '0');
    await Promise.all(numbers.map(() => client.incr('n')));
    expect(await client.get('n')).toBe('500');
  });

  it('items expire, unless they are touched; keys of 250 bytes', async () => {
    const longKey = 'k'.repeat(250);
    // Two seconds: the first may be over at once, as seconds of the clock count.
    await client.set('touched', 'x', 2);
    await client.set(longKey, 'x', 2);
    await client.touch('touched', 100);
    await eventually(async () => (await client.get(longKey)) === undefined, 'expiry of the long key');
    expect(await client.get('touched')).toBe('x');
  });

  it('distributes over two servers with ketama', async () => {
    const other = await workspace.serve({ directory: 'other' });
    const both = new Memcache({ nodes: [`127.0.0.1:${server.port}`, `127.0.0.1:${other.port}`], timeout: 10_000 });
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    for (const key of keys) expect(await both.set(key, key)).toBe(true);
    expect([...(await both.gets(keys)).keys()].toSorted()).toEqual(keys.toSorted());
    const here = (await client.gets(keys)).size;
    expect(here).toBeGreaterThan(0);
    expect(here).toBeLessThan(100);
    await both.disconnect();
  });

  it('finds its items after a restart of the server', async () => {
    const large = 'x'.repeat(900_000);
    await client.set('kept', 'one', 1000);
    await client.set('large', large);
    await client.set('n', '41');
    await client.disconnect();
    expect(await server.stop()).toBe(0);
    await serve();
    expect(await client.get('kept')).toBe('one');
    expect((await client.get('large')) === large).toBe(true);
    expect(await client.incr('n')).toBe(42);
  });
});
