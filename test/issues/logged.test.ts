import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

describe('the verbosity command', () => {
  it('with 0 does not make a server log more that was started with --log-level warn', async () => {
    const server = await workspace.serve({ args: ['--log-level', 'warn'] });
    const client = await RawClient.connect(server.port);
    expect(await client.ask('verbosity 0')).toBe('OK');
    await client.set('a', 'x');
    expect(await server.stop()).toBe(0);
    expect(server.log.filter(({ level }) => Number(level) < 40)).toEqual([]);
  });

  it('with 0 goes back there from 2', async () => {
    const server = await workspace.serve({ args: ['--log-level', 'warn'] });
    const client = await RawClient.connect(server.port);
    await client.ask('verbosity 2');
    await client.set('loud', 'x');
    await client.ask('verbosity 0');
    await client.set('quiet', 'x');
    expect(await server.stop()).toBe(0);
    expect(server.stderr).toContain('loud');
    expect(server.stderr).not.toContain('quiet');
    expect(server.log.some(({ msg }) => msg === 'stopped')).toBe(false);
  });
});

// What the option says, "connections and keys", it did only by half.
it('-vv logs the keys of commands, and never a value', async () => {
  const server = await workspace.serve({ args: ['-vv'] });
  const client = await RawClient.connect(server.port);
  await client.set('key:1', 'secret-value', 0, 100);
  await client.store('append', 'key:1', 'secret-value');
  await client.cas('key:1', 'secret-value', '1');
  await client.ask('incr key:2 5');
  await client.getMany(...Array.from({ length: 100 }, (_, i) => `many:${i}`));
  // What memcached would do with each: a block that is too long, too large, or behind a line that is refused.
  client.send('set key:3 0 0 2\r\nsecret-value\r\nset key:4 0 0 1100000\r\n');
  client.send(`${'secret-value'.repeat(100_000).slice(0, 1_100_000)}\r\nset key:5 x 0 12\r\nsecret-value\r\nmn\r\n`);
  let line = await client.line();
  while (line !== 'MN') line = await client.line();
  expect(await server.stop()).toBe(0);
  expect(server.stderr).not.toContain('secret');
  const commands = server.log.filter(({ msg }) => msg === 'command').map(({ command, keys }) => [command, keys]);
  expect(commands).toContainEqual(['set', ['key:1']]);
  expect(commands).toContainEqual(['append', ['key:1']]);
  expect(commands).toContainEqual(['cas', ['key:1']]);
  expect(commands).toContainEqual(['incr', ['key:2']]);
  // Not all of a long list.
  const gets = commands.find(([command]) => command === 'gets');
  expect(gets?.[1]).toContain('many:0');
  expect(gets?.[1]).not.toContain('many:99');
});

it('the directory is logged in full, however it was given', async () => {
  const server = await workspace.serve({ args: ['--file', 'relative'] });
  expect(server.log.find(({ msg }) => msg === 'serving')).toMatchObject({ directory: workspace.path('relative') });
});

// The daemon was stopped together with the server, and said that it had lost it.
it('a stop with --with-expire is quiet', async () => {
  const server = await workspace.serve({ args: ['--with-expire'] });
  await server.until(() => server.log.some(({ name, msg }) => name === 'tugela-expire' && msg === 'expiry daemon started'), 'the daemon');
  expect(await server.stop()).toBe(0);
  expect(server.log.filter(({ level, msg }) => Number(level) >= 40 && !String(msg).startsWith('running as root'))).toEqual([]);
});

// Node opened its debugger instead.
it('SIGUSR1 stops in order, as with memcached', async () => {
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  await client.set('a', 'x');
  expect(await server.stop('SIGUSR1')).toBe(0);
  expect(server.stderr).not.toContain('Debugger');
  expect(await (await RawClient.connect((await workspace.serve()).port)).text('a')).toBe('x');
});
