import { expect, it, onTestFinished } from 'vitest';
import { PREFETCH_KEYS } from '../../src/cache/prefetch.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';

/** Two of three are stored. */
const isStored = (key: number): boolean => key % 3 > 0;

async function filled(count: number): Promise<RawClient> {
  const { port } = await startTestServer();
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  for (let key = 0; key < count; key++) {
    if (!isStored(key)) continue;
    client.send(`set k${key} 0 0 ${String(key).length}\r\n${key}\r\n`);
    expect(await client.line()).toBe('STORED');
  }
  return client;
}

async function expectHit(client: RawClient, key: number): Promise<void> {
  expect(await client.line()).toBe(`VALUE k${key} 0 ${String(key).length}`);
  expect(await client.line()).toBe(String(key));
}

// Memory is fetched for so many keys at a time, and their hashes are remembered meanwhile.
it.each([1, PREFETCH_KEYS - 1, PREFETCH_KEYS, PREFETCH_KEYS + 1, 2 * PREFETCH_KEYS + 1])('answers each of %i keys with its own value', async (count) => {
  const client = await filled(count);
  const keys = Array.from({ length: count }, (_, key) => key);
  client.send(`get ${keys.map((key) => `k${key}`).join(' ')}\r\n`);
  for (const key of keys.filter(isStored)) await expectHit(client, key);
  expect(await client.line()).toBe('END');
  client.send(keys.map((key) => `get k${key}\r\n`).join(''));
  for (const key of keys) {
    if (isStored(key)) await expectHit(client, key);
    expect(await client.line()).toBe('END');
  }
});
