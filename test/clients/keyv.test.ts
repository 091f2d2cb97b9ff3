import { KeyvMemcache } from '@keyv/memcache';
import { Keyv } from 'keyv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, Workspace } from '../support/process.ts';

let workspace: Workspace;
let server: ServerProcess;
let stores: KeyvMemcache[];

beforeEach(async () => {
  workspace = new Workspace();
  stores = [];
  server = await workspace.serve();
});

afterEach(async () => {
  for (const store of stores) store.client.quit();
  await workspace.close();
});

/** A Keyv on @keyv/memcache, which speaks the binary protocol. */
function open(namespace?: string): Keyv {
  const store = new KeyvMemcache(`127.0.0.1:${server.port}`, { timeout: 10, conntimeout: 10 });
  stores.push(store);
  return new Keyv(namespace === undefined ? { store } : { store, namespace });
}

describe('Keyv on @keyv/memcache', () => {
  it('set, get, has, delete', async () => {
    const keyv = open();
    expect(await keyv.set('a', { list: [1, 'ü', null] })).toBe(true);
    expect(await keyv.get('a')).toEqual({ list: [1, 'ü', null] });
    expect(await keyv.has('a')).toBe(true);
    expect(await keyv.delete('a')).toBe(true);
    expect(await keyv.delete('a')).toBe(false);
    expect(await keyv.has('a')).toBe(false);
    expect(await keyv.get('a')).toBeUndefined();
  });

  it('many at once, and large ones', async () => {
    const keyv = open();
    const keys = Array.from({ length: 200 }, (_, i) => `key${i}`);
    await Promise.all(keys.map((key, i) => keyv.set(key, i)));
    expect(await keyv.get(keys)).toEqual(keys.map((_, i) => i));
    const large = 'x'.repeat(900_000);
    await keyv.set('large', large);
    expect((await keyv.get<string>('large')) === large).toBe(true);
    expect(await keyv.deleteMany(keys)).toBe(true);
    expect(await keyv.get(keys)).toEqual(keys.map(() => undefined));
  });

  it('items expire after their time to live', async () => {
    const keyv = open();
    await keyv.set('short', 'x', 1000);
    await keyv.set('long', 'x', 100_000);
    // Asked without Keyv, which looks at the time as well.
    await eventually(async () => !(await stores[0]?.has('keyv:short')), 'expiry of "short"');
    expect(await keyv.get('short')).toBeUndefined();
    expect(await keyv.get('long')).toBe('x');
  });

  it('namespaces do not see each other; clear empties the server', async () => {
    const [first, second] = [open('first'), open('second')];
    await first.set('a', 1);
    await second.set('a', 2);
    expect([await first.get('a'), await second.get('a')]).toEqual([1, 2]);
    await first.clear();
    expect([await first.get('a'), await second.get('a')]).toEqual([undefined, undefined]);
  });

  it('values are still there after a restart of the server', async () => {
    await open('kept').set('a', { value: 1 });
    expect(await server.stop()).toBe(0);
    server = await workspace.serve();
    expect(await open('kept').get('a')).toEqual({ value: 1 });
  });
});
