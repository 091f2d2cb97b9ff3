import { afterEach, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

afterEach(() => vi.restoreAllMocks());

// A read at once that failed ended the connection, with all the replies that it was owed.
it.each(['fetchNow', 'readValueNow'] as const)('an error of the disk in %s is for the slower way to tell, and the connection goes on', async (name) => {
  const { port } = await startTestServer({ ramTier: false });
  const client = await TestClient.connect(port);
  const value = 'v'.repeat(1000);
  expect(await client.ask(`set k 0 0 1000\r\n${value}\r\n`)).toBe('STORED\r\n');
  vi.spyOn(Store.prototype, name).mockImplementation(() => {
    throw new Error('EIO: i/o error, read');
  });
  // Read without haste.
  expect(await client.ask('get k\r\n', 'END\r\n')).toBe(`VALUE k 0 1000\r\n${value}\r\nEND\r\n`);
  vi.spyOn(Store.prototype, 'readValue').mockRejectedValue(new Error('EIO: i/o error, read'));
  expect(await client.ask('get k\r\n')).toBe('SERVER_ERROR cannot read from disk\r\n');
  vi.restoreAllMocks();
  expect(await client.ask('get k\r\n', 'END\r\n')).toBe(`VALUE k 0 1000\r\n${value}\r\nEND\r\n`);
});
