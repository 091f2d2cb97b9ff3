import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { probe, runClient, type Said } from './foreign-client.ts';

const isInstalled = probe(['memcstat', '-V']) !== undefined;
/** These two are not built everywhere. */
const hasCapable = probe(['memccapable', '-V']) !== undefined;
const hasAslap = probe(['memcaslap', '-V']) !== undefined;
if (!isInstalled) console.warn('skipped: the tools of libmemcached are not installed (apt-get install libmemcached-tools)');

let workspace: Workspace;
let server: ServerProcess;

beforeEach(async () => {
  workspace = new Workspace();
  server = await workspace.serve();
});

afterEach(async () => {
  await workspace.close();
});

const protocols = [
  { protocol: 'text', flags: [] },
  { protocol: 'binary', flags: ['--binary'] },
] as const;

describe.skipIf(!isInstalled).each(protocols)("libmemcached's tools, $protocol protocol", ({ protocol, flags }) => {
  /** Runs one of the tools in the directory of the test. */
  function tool(name: string, ...args: string[]): Promise<Said> {
    return runClient([name, `--servers=127.0.0.1:${server.port}`, ...flags, ...args], { directory: workspace.directory });
  }

  it('memccp stores files, memccat gives them back, memcexist and memcrm see and remove them', async () => {
    const big = randomBytes(900_000);
    writeFileSync(workspace.path('small'), 'hello');
    writeFileSync(workspace.path('other'), 'other');
    writeFileSync(workspace.path('big'), big);
    expect(await tool('memccp', 'small', 'big')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await tool('memccat', 'small')).toMatchObject({ code: 0, stdout: 'hello\n' });
    expect(await tool('memccat', '--file=fetched', 'big')).toMatchObject({ code: 0 });
    expect(readFileSync(workspace.path('fetched')).equals(big)).toBe(true);

    expect(await tool('memccp', '--add', 'small')).toMatchObject({ code: 1 });
    expect(await tool('memccp', '--add', '--flags=7', '--expire=100', 'other')).toMatchObject({ code: 0 });
    expect(await tool('memccat', '--flags', 'other')).toMatchObject({ code: 0, stdout: '7\nother\n' });
    expect(await tool('memccp', '--replace', 'small')).toMatchObject({ code: 0 });

    expect((await tool('memcexist', 'small')).code).toBe(0);
    expect((await tool('memcrm', 'small')).code).toBe(0);
    expect((await tool('memcrm', 'small')).code).toBe(1);
    expect((await tool('memcexist', 'small')).code).toBe(1);
    expect((await tool('memccat', 'small')).code).toBe(1);
  });

  it('memctouch, memcflush, memcstat', async () => {
    writeFileSync(workspace.path('small'), 'hello');
    await tool('memccp', 'small');
    expect((await tool('memctouch', '--expire=100', 'small')).code).toBe(0);
    expect((await tool('memctouch', '--expire=100', 'nothing')).code).toBe(1);
    expect(await tool('memcstat')).toMatchObject({ code: 0, stdout: expect.stringMatching(/\bcmd_touch: 2\n[^]*\bcurr_items: 1\n/) as string });
    expect(await tool('memcstat', 'settings')).toMatchObject({ code: 0, stdout: expect.stringContaining('item_size_max: 1048576') as string });
    // It says this on the other stream.
    expect(await tool('memcstat', '--server-version')).toMatchObject({ code: 0, stderr: expect.stringContaining('1.6.') as string });
    expect((await tool('memcflush')).code).toBe(0);
    expect((await tool('memcexist', 'small')).code).toBe(1);
  });

  it('memccat finds what memccp stored before a restart', async () => {
    writeFileSync(workspace.path('small'), 'hello');
    await tool('memccp', 'small');
    expect(await server.stop()).toBe(0);
    server = await workspace.serve();
    expect(await tool('memccat', 'small')).toMatchObject({ code: 0, stdout: 'hello\n' });
  });

  it('memcslap loads it from several threads, also without replies', async () => {
    expect(await tool('memcslap', '--concurrency=4', '--execute-number=200', '--test=set')).toMatchObject({ code: 0, stderr: '' });
    expect(await tool('memcslap', '--concurrency=4', '--execute-number=200', '--test=get')).toMatchObject({ code: 0, stderr: '' });
    expect(await tool('memcslap', '--concurrency=4', '--execute-number=200', '--test=mget')).toMatchObject({ code: 0, stderr: '' });
    expect(await tool('memcslap', '--concurrency=2', '--execute-number=200', '--test=set', '--noreply')).toMatchObject({ code: 0, stderr: '' });
  });

  it.skipIf(!hasAslap)('memcaslap verifies the values it reads', async () => {
    const { code, stdout } = await tool('memcaslap', '--threads=2', '--concurrency=8', '--execute_number=2000', '--verify=1');
    expect(code, stdout).toBe(0);
    for (const counter of ['get_misses', 'verify_misses', 'verify_failed']) expect(stdout).toContain(`${counter}: 0\n`);
  });

  it.skipIf(!hasCapable)(`memccapable passes all its tests of the ${protocol} protocol`, async () => {
    const which = protocol === 'binary' ? '-b' : '-a';
    const { code, stdout, stderr } = await runClient(['memccapable', '-h', '127.0.0.1', '-p', String(server.port), '-t', '10', which]);
    const failed = `${stdout}${stderr}`.split('\n').filter((line) => /\[(?!pass)/.test(line));
    expect(failed).toEqual([]);
    expect(code).toBe(0);
    expect(stdout + stderr).toContain('All tests passed');
  });
});

describe.skipIf(!isInstalled)("libmemcached's memcping", () => {
  it('tells whether a server is there', async () => {
    const ping = (): Promise<Said> => runClient(['memcping', `--servers=127.0.0.1:${server.port}`]);
    expect((await ping()).code).toBe(0);
    await server.stop();
    expect((await ping()).code).not.toBe(0);
  });
});

describe.skipIf(!isInstalled)("libmemcached's memcdump", () => {
  const dump = (): Promise<Said> => runClient(['memcdump', `--servers=127.0.0.1:${server.port}`]);

  it('lists all keys', async () => {
    expect(await dump()).toEqual({ code: 0, stdout: '', stderr: '' });
    const keys = Array.from({ length: 2500 }, (_, i) => `key:${i}`);
    await store(keys);
    const { code, stdout, stderr } = await dump();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(keys.toSorted());
  });

  it('ends in order where the list is longer than it can be', async () => {
    const keys = Array.from({ length: 9000 }, (_, i) => `${'k'.repeat(240)}:${i}`);
    await store(keys);
    const { code, stdout, stderr } = await dump();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const listed = stdout.trimEnd().split('\n');
    expect(listed.length).toBeGreaterThan(7500);
    expect(listed.length).toBeLessThan(keys.length);
    const stored = new Set(keys);
    expect(listed.filter((key) => !stored.has(key))).toEqual([]);
  });

  async function store(keys: readonly string[]): Promise<void> {
    const client = await RawClient.connect(server.port);
    client.send(keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\n`).join(''));
    expect(await client.ask('mn')).toBe('MN');
    client.close();
  }
});
