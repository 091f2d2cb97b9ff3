import { afterAll, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';

// Node's recursive mkdir tries for ever where the file system will never have the directory.
const workspace = new Workspace();
afterAll(() => workspace.close());

it('serve says that it cannot make a directory, instead of trying for ever', async () => {
  const run = await workspace.run(['serve', '--port', '0', '--file', '/proc/tugela-ts/store']);
  expect(run.code).toBe(1);
  expect(run.stderr).toMatch(/^tugela-ts: Cannot open store at \/proc\/tugela-ts\/store: ENOENT/m);
});
