import { mkdirSync, writeFileSync } from 'node:fs';
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

// The half-made directory was taken for somebody else's, and refused for ever after.
it('a directory whose first start was killed before it was a store becomes one', async () => {
  mkdirSync(workspace.path('data'));
  writeFileSync(workspace.path('data/TUGELA.new'), 'tugela-ts st');
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  expect(await client.set('a', 'x')).toBe('STORED');
});
