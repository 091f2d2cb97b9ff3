import { readFileSync } from 'node:fs';
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

it('a server in use is backed up with store dump and restored with store load', async () => {
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  for (let i = 0; i < 2000; i++) client.send(`set key:${i} ${i} ${i % 2 === 0 ? 0 : 1000} 1500 noreply\r\n${'v'.repeat(1500)}\r\n`);
  await client.set('last', 'x');

  // Overwrites go on while the dump is made: each value is the old one or the new one.
  const backup = workspace.start(['store', 'dump', '--port', String(server.port), '-o', 'backup.gz', '--gzip']);
  while (!backup.isOver) await client.set('key:0', 'w'.repeat(1500));
  expect(backup).toMatchObject({ stdout: '', stderr: '' });
  expect(await backup.ended).toMatchObject({ code: 0 });

  expect(await workspace.run(['store', 'load', 'restored', 'backup.gz'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^loaded 2001\n/) });
  expect(await workspace.run(['store', 'verify', 'restored'])).toMatchObject({ code: 0 });

  expect(await workspace.run(['store', 'dump', '--port', String(server.port), '--prefix', 'key%3A199', '-o', 'some'])).toMatchObject({ code: 0 });
  expect(readFileSync(workspace.path('some'), 'latin1')).toMatch(/\nEND 11 \d+\n$/);
});

it('a server gives no dump to connections that have no control', async () => {
  const server = await workspace.serve({ args: ['--control', 'off'] });
  const dump = await workspace.run(['store', 'dump', '--port', String(server.port), '-o', 'backup']);
  expect(dump).toMatchObject({ code: 1, stderr: expect.stringMatching(/refuses to be dumped: .*control commands are not accepted/) });
});

it('the verb takes one prefix', async () => {
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  expect(await client.ask('expire dump a b')).toMatch(/^CLIENT_ERROR usage/);
  expect(await client.ask('expire dump %2')).toMatch(/^CLIENT_ERROR usage/);
  await client.set('a', 'x');
  client.send('expire dump\r\nversion\r\n');
  expect((await client.line())?.split('\n')).toEqual(['tugela-ts dump 1', expect.stringMatching(/^ITEM a /), 'x', 'END 1 2', expect.stringMatching(/^VERSION/)]);
});
