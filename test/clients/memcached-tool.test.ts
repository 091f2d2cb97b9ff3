import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { probe, runClient, type Said } from './foreign-client.ts';

/** Where it is: Debian does not put it into the path. */
const TOOL = ['/usr/share/memcached/scripts/memcached-tool', '/usr/bin/memcached-tool', '/usr/local/bin/memcached-tool'].find((path) => existsSync(path));
const isInstalled = TOOL !== undefined && probe(['perl', '-e', 'use IO::Socket::INET']) !== undefined;
if (!isInstalled) console.warn('skipped: memcached-tool is not installed (apt-get install memcached)');

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;

beforeEach(async () => {
  workspace = new Workspace();
  server = await workspace.serve({ args: ['--track-sizes'] });
  client = await RawClient.connect(server.port);
});

afterEach(async () => {
  await workspace.close();
});

/** Runs the tool; it must end well. */
async function tool(...args: string[]): Promise<string> {
  const said: Said = await runClient(['perl', TOOL ?? '', `127.0.0.1:${server.port}`, ...args]);
  expect(said).toMatchObject({ code: 0, stderr: expect.not.stringContaining('ERROR') as string });
  return said.stdout;
}

/** Names and values that it prints in two columns. */
async function table(mode: string): Promise<Map<string, string>> {
  const [, ...rows] = (await tool(mode)).trim().split('\n');
  return new Map(rows.map((row) => row.trim().split(/\s+/) as [string, string]));
}

describe.skipIf(!isInstalled)('memcached-tool', () => {
  it('display shows one class with all items, of their mean size', async () => {
    expect((await tool('display')).split('\n')).toEqual([expect.stringContaining('Item_Size'), '']);
    for (let i = 0; i < 30; i++) await client.set(`k${10 + i}`, Buffer.alloc(i < 15 ? 1000 : 100_000));
    const [, row, ...more] = (await tool('display')).trimEnd().split('\n');
    // Number, item size, greatest age, pages of 1 MiB, items, full, evicted, age of the last evicted, out of memory.
    expect(row?.trim().split(/\s+/)).toEqual(['1', '49.3K', '0s', '2', '30', 'no', '0', '0', '0']);
    expect(more).toEqual([]);
  });

  it('stats, settings and sizes', async () => {
    await client.set('a', 'x');
    await client.set('b', 'y');
    expect((await table('stats')).get('curr_items')).toBe('2');
    expect((await table('settings')).get('item_size_max')).toBe('1048576');
    expect([...(await table('sizes')).values()]).toEqual(['2']);
  });

  it('keys lists all keys', async () => {
    for (let i = 0; i < 2500; i++) client.send(`set k:${i} 0 0 1 noreply\r\nx\r\n`);
    await client.ask('mn');
    const lines = (await tool('keys')).trimEnd().split('\n');
    expect(new Set(lines.map((line) => /^key=k%3A(\d+) exp=-1 /.exec(line)?.[1])).size).toBe(2500);
    expect(lines.length).toBe(2500);
  });

  it('dump prints commands that store everything again', async () => {
    const binary = Buffer.from([0, 13, 10, 255, 32, 69, 78, 68]);
    await client.set('for:ever', 'forever', 7);
    await client.set('pass%20word', binary, 0, 1000);
    await client.set('large', Buffer.alloc(300_000, 'L'));
    const dumped = await tool('dump');
    const second = await workspace.serve({ directory: 'second' });
    const other = await RawClient.connect(second.port);
    other.send(Buffer.from(dumped, 'latin1'));
    expect([await other.line(), await other.line(), await other.line()]).toEqual(['STORED', 'STORED', 'STORED']);
    expect(await other.get('for:ever')).toMatchObject({ flags: 7, value: Buffer.from('forever') });
    expect(await other.get('pass%20word')).toMatchObject({ value: binary });
    expect((await other.get('large'))?.value.length).toBe(300_000);
    expect(await other.ask('mg pass%20word t')).toMatch(/^HD t(1000|99\d)$/);
    expect(await other.ask('mg for:ever t')).toBe('HD t-1');
  });
});
