import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GROUP_END_BYTES } from '../../src/store/value-record.ts';
import { type Ended, type Program, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await workspace.close();
});

function store(...args: string[]): Promise<Program & Ended> {
  return workspace.run(['store', ...args]);
}

/** Fills `data` through a server and ends it with `signal`. */
async function fill(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  const server = await workspace.serve();
  const client = await RawClient.connect(server.port);
  for (let i = 0; i < 50; i++) await client.set(`key:${i}`, `value ${i}`, i, i % 2 === 0 ? 0 : 1000);
  await client.set('large', Buffer.alloc(5000, 'L'));
  await client.set('other', Buffer.alloc(200_000, 'O'));
  if (signal === 'SIGKILL') await server.kill();
  else expect(await server.stop()).toBe(0);
}

describe('tugela-ts store', () => {
  it('tells what is in a store, checks it, and dumps and loads it', async () => {
    await fill();
    const stat = await store('stat', 'data');
    expect(stat.code).toBe(0);
    expect(stat.stdout).toMatch(/^format 1\nitems 52\n/);
    expect(stat.stdout).toMatch(/^items_never_expiring 27$/m);
    const { size } = statSync(workspace.path('data/values/000001.values'));
    expect(stat.stdout).toMatch(new RegExp(`^segment_1 bytes ${size} live_bytes 205074 dead_bytes ${size - 205074} live_items 2 `, 'm'));
    expect(JSON.parse((await store('stat', 'data', '--json')).stdout)).toMatchObject({ items: 52, levels: expect.any(Array), segment_list: [{ segment: 1, live_items: 2 }] });

    expect(await store('verify', 'data')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^items 52\n[^]*\nfindings 0\n$/), stderr: '' });

    expect(await store('dump', 'data', '-o', 'dump')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(workspace.path('dump'), 'latin1')).toMatch(/^tugela-ts dump 1\nITEM key%3A0 0 0 [^]*\nEND 52 \d+\n$/);
    expect((await store('dump', 'data')).stdout).toBe(readFileSync(workspace.path('dump'), 'latin1'));

    expect(await store('dump', 'data', '--gzip', '--prefix', 'key%3A1', '-o', 'some.gz')).toMatchObject({ code: 0 });
    expect(gunzipSync(readFileSync(workspace.path('some.gz'))).toString()).toMatch(/\nEND 11 \d+\n$/);

    expect(await store('load', 'copy', 'dump')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^loaded 52\n/) });
    expect((await store('dump', 'copy')).stdout).toBe(readFileSync(workspace.path('dump'), 'latin1'));
    expect(await store('load', 'copy', 'some.gz', '--merge', '--json')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{"loaded":11,.*"replaced":11,/) });
    expect(await store('verify', 'copy')).toMatchObject({ code: 0 });
  });

  it('reads a store whose server was killed', async () => {
    await fill('SIGKILL');
    expect(await store('verify', 'data')).toMatchObject({ code: 0 });
  });

  it('loads from stdin into a running server', async () => {
    await fill();
    await store('dump', 'data', '-o', 'dump');
    const server = await workspace.serve({ directory: 'second', addresses: 2, args: ['--socket', workspace.path('sock')] });
    const load = workspace.start(['store', 'load', '--port', String(server.port)]);
    load.child.stdin?.end(readFileSync(workspace.path('dump')));
    expect(await load.ended).toMatchObject({ code: 0 });
    expect(load.stdout).toMatch(/^loaded 52\n/);
    const client = await RawClient.connect(server.port);
    expect(await client.get('key:7')).toMatchObject({ flags: 7, value: Buffer.from('value 7') });
    expect((await client.get('other'))?.value.length).toBe(200_000);
    expect(await client.stat('curr_items')).toBe(52);
    expect(await store('load', '--socket', 'sock', 'dump')).toMatchObject({ code: 0 });
  });

  it.each([
    { kind: 'plain', args: [] },
    { kind: 'gzip', args: ['--gzip'] },
  ])('loads from stdin into a directory, $kind', async ({ args }) => {
    await fill();
    await store('dump', 'data', '-o', 'dump', ...args);
    await store('dump', 'data', '-o', 'text');
    const load = workspace.start(['store', 'load', 'copy']);
    load.child.stdin?.end(readFileSync(workspace.path('dump')));
    expect(await load.ended).toMatchObject({ code: 0 });
    expect(load.stdout).toMatch(/^loaded 52\n/);
    expect((await store('dump', 'copy')).stdout).toBe(readFileSync(workspace.path('text'), 'latin1'));
    expect(await store('verify', 'copy')).toMatchObject({ code: 0 });

    const cut = workspace.start(['store', 'load', 'other']);
    cut.child.stdin?.end(readFileSync(workspace.path('dump')).subarray(0, -5));
    expect(await cut.ended).toMatchObject({ code: 1 });
    expect(cut.stderr).toMatch(/^tugela-ts: Cannot read dump[^]* truncated/);
  });

  it('finds damage, and repairs it', async () => {
    await fill();
    const values = workspace.path('data/values');
    const segment = join(values, readdirSync(values)[0] ?? '');
    // Behind the last record is the end of its group.
    truncateSync(segment, statSync(segment).size - GROUP_END_BYTES - 1);
    const verified = await store('verify', 'data');
    expect(verified.code).toBe(1);
    expect(verified.stdout).toMatch(/^item other: its value should be in \S+ at offset \d+, but the file ends before it does\n/);
    expect(verified.stderr).toBe('tugela-ts: Verified store at data: 1 finding\n');
    expect(await store('dump', 'data', '-o', 'dump')).toMatchObject({ code: 1, stderr: expect.stringMatching(/all but 1 items/) });
    expect(readFileSync(workspace.path('dump'), 'latin1')).toMatch(/^LOST other$/m);

    expect(await store('repair', 'data', '--into', 'new')).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nitems 51\n/) });
    expect(await store('verify', 'new')).toMatchObject({ code: 0 });
    expect(await store('repair', 'data', '--in-place')).toMatchObject({ code: 0 });
    expect(await store('verify', 'data')).toMatchObject({ code: 0 });
  });

  it('compacts', async () => {
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    for (let i = 0; i < 100; i++) await client.set(`key:${i}`, Buffer.alloc(5000));
    for (let i = 0; i < 80; i++) await client.ask(`delete key:${i}`);
    await server.stop();
    const { stdout, code } = await store('compact', 'data', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ segments_rewritten: 1, segment_bytes_before: expect.any(Number) });
    expect((JSON.parse(stdout) as { segment_bytes_after: number }).segment_bytes_after).toBeLessThan(110_000);
    expect(await store('verify', 'data')).toMatchObject({ code: 0 });
  });

  it('leaves a directory alone that a server holds, and says which does', async () => {
    await fill();
    await store('dump', 'data', '-o', 'before');
    const server = await workspace.serve();
    const client = await RawClient.connect(server.port);
    const held = new RegExp(`^tugela-ts: Cannot open store at data: process ${server.pid} holds it; stop the server first`);
    for (const [word = '', ...args] of [
      ['stat'],
      ['stat', '--json'],
      ['verify'],
      ['dump', '-o', 'after'],
      ['load', 'before', '--merge'],
      ['repair', '--in-place'],
      ['repair', '--into', 'new'],
      ['repair', '--into', 'new', '--from-values'],
      ['compact'],
    ]) {
      const { code, stdout, stderr } = await store(word, 'data', ...args);
      expect({ word, args, code, stdout, stderr }).toEqual({ word, args, code: 1, stdout: '', stderr: expect.stringMatching(held) });
      expect(await client.text('key:7')).toBe('value 7');
    }
    // Without --merge it is the mistake in the command line that is told.
    expect(await store('load', 'data', 'before')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/data is not empty; .*--merge/) });
    expect(readdirSync(workspace.directory).toSorted()).toEqual(['before', 'data']);

    expect(await client.set('key:7', 'another', 7, 1000)).toBe('STORED');
    expect(await client.set('key:7', 'value 7', 7, 1000)).toBe('STORED');
    expect(await client.stat('curr_items')).toBe(52);
    expect(await server.stop()).toBe(0);
    expect(await store('verify', 'data')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^items 52\n[^]*\nfindings 0\n$/) });
  });

  it('says what is wrong, with the status for it', async () => {
    await fill();
    writeFileSync(workspace.path('file'), 'x');
    expect(await store('verify', 'none')).toMatchObject({ code: 1, stderr: expect.stringMatching(/Cannot open store at none: ENOENT/) });
    expect(await store('verify', '.')).toMatchObject({ code: 1, stderr: expect.stringMatching(/it is not empty and not a tugela-ts store/) });
    expect(await store('load', 'data', 'file')).toMatchObject({ code: 2, stderr: expect.stringMatching(/data is not empty; .*--merge/) });
    expect(await store('load', 'new', 'file')).toMatchObject({ code: 1, stderr: 'tugela-ts: Cannot read dump: line 1: the dump ends here, without its line END: it is truncated\n' });
    expect(await store('dump')).toMatchObject({ code: 2, stderr: expect.stringMatching(/name a directory, or a server/) });
    expect(await store('dump', 'data', '--host', 'localhost')).toMatchObject({ code: 2, stderr: expect.stringMatching(/not both/) });
    expect(await store('repair', 'data')).toMatchObject({ code: 2, stderr: expect.stringMatching(/--into NEWDIR or --in-place/) });
    expect(await store('verify')).toMatchObject({ code: 2, stderr: "tugela-ts: missing required argument 'dir'\n" });
    expect(await store('dump', 'data', '--prefix', 'a%2')).toMatchObject({ code: 2 });
  });
});
