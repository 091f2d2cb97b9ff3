import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';

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
  quit(): void;
}

const { Client } = createRequire(import.meta.url)('memjs') as { Client: { create(server: string, options?: object): MemjsClient } };

let workspace: Workspace;
let client: MemjsClient;

beforeEach(async () => {
  workspace = new Workspace();
  const server = await workspace.serve();
  client = Client.create(`127.0.0.1:${server.port}`, { timeout: 10, conntimeout: 10 });
});

afterEach(async () => {
  client.quit();
  await workspace.close();
});

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
});
