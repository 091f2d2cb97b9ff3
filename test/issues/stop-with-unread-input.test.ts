import { afterEach, beforeEach, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

// Reading was paused and stayed so, so that the client's end was not noticed for five seconds.
it('a stop does not wait for a client that had sent more than was read', async () => {
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  const value = 'v'.repeat(50_000);
  client.send(`set k 0 0 ${value.length}\r\n${value}\r\n`.repeat(200));
  expect(await client.line()).toBe('STORED');
  const startedMs = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(4000);
});
