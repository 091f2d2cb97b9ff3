import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually, type ServerProcess, type Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { serverForEach } from './server-for-each.ts';

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;
serverForEach((started) => ({ workspace, server, client } = started));

/** What a tool prints about the server; it must end well. */
async function run(...[command = '', ...args]: string[]): Promise<string> {
  const { code, stdout, stderr } = await workspace.run([command, '-P', String(server.port), ...args]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return Buffer.from(stdout, 'latin1').toString('utf8');
}

async function lines(...args: string[]): Promise<string[]> {
  return (await run(...args)).split('\n').slice(0, -1);
}

/** Stores so many items under a prefix, quickly. */
async function fill(prefix: string, count: number, bytes = 10): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(6, '0')}`);
  const value = 'v'.repeat(bytes);
  client.send(keys.map((key) => `set ${key} 0 0 ${bytes} noreply\r\n${value}\r\n`).join(''));
  expect(await client.ask('mn')).toBe('MN');
  return keys;
}

describe('keys', () => {
  it('lists all keys in order, whatever the number', async () => {
    const keys = await fill('k', 2345);
    expect((await lines('keys')).map((line) => line.split('\t')[0])).toEqual(keys);
    expect(await run('keys', '--count')).toBe('2345\n');
    expect(await run('keys', '--count', '-p', 'k0001')).toBe('100\n');
  });

  it('shows size, seconds to live and age, and no item that is expired or flushed', async () => {
    await client.set('flushed', 'x');
    await client.ask('flush_all');
    await client.set('expired', 'x', 0, -1);
    await client.set('for:ever', 'abc');
    await client.set('hour', Buffer.alloc(5000), 0, 3600);
    const [first, second, ...more] = await lines('keys');
    expect(more).toEqual([]);
    expect(first).toMatch(/^for%3Aever\t3\t-\t\d+$/);
    expect(second).toMatch(/^hour\t5000\t(3600|359\d)\t\d+$/);
  });

  it('ends after as many as asked for', async () => {
    const keys = await fill('k', 1500);
    for (const limit of [1, 499, 500, 501, 1400]) expect(await lines('keys', '--raw', '-n', String(limit))).toEqual(keys.slice(0, limit));
    expect(await run('keys', '--count', '--limit', '700')).toBe('700\n');
  });

  it('shows values as text in one line, or as JSON', async () => {
    await client.set('a', 'line\r\nend\t');
    await client.set('b', Buffer.from([0xff, 0]));
    await client.set('large', 'y'.repeat(300_000));
    const plain = (await lines('keys', '--values')).map((line) => line.split('\t')[4]);
    expect(plain).toEqual([String.raw`line\r\nend\t`, String.raw`\xff\x00`, 'y'.repeat(300_000)]);
    const json = (await lines('keys', '--values', '--json', '-n', '2')).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(json).toMatchObject([
      { key: 'a', size: 10, expiresAt: null, value: 'line\r\nend\t' },
      { key: 'b', size: 2, valueBase64: '/wA=' },
    ]);
    expect(json[0]).not.toHaveProperty('valueBase64');
  });

  it('does not count as a use of what it shows', async () => {
    await client.set('k', 'v');
    await run('keys', '--values');
    expect(await client.ask('mg k h')).toBe('HD h0');
  });

  it('ends in silence when nobody reads on', async () => {
    await fill('k', 20_000);
    const program = workspace.start(['keys', '-P', String(server.port)]);
    await program.until(() => program.stdout.length > 0, 'output');
    program.child.stdout?.destroy();
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe('');
  });

  it('says what is wrong', async () => {
    for (const args of [['--raw', '--json'], ['--count', '--values'], ['--limit', '0'], ['--prefix', ''], ['--socket', '/x', '-P', '1'], ['word']]) {
      const { code, stderr } = await workspace.run(['keys', ...args]);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).toMatch(/^tugela-ts: .+\n$/);
    }
    await server.stop();
    const { code, stderr } = await workspace.run(['keys', '-P', String(server.port)]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tugela-ts: Cannot work with server at 127\.0\.0\.1:\d+: .+\n$/);
  });
});

describe('delete', () => {
  it('deletes what is under the prefix, and tells how much that was', async () => {
    await fill('a:', 1000);
    await fill('b:', 10);
    expect(await run('delete', '-p', 'a:', '--dry-run')).toBe('would delete 1000 items, 18000 bytes\n');
    expect(await run('keys', '--count')).toBe('1010\n');
    expect(await run('delete', '-p', 'a:', '--wait')).toBe('deleted 1000 items, 18000 bytes\n');
    expect(await run('keys', '--count')).toBe('10\n');
    const storage = await client.stats('storage');
    expect([storage.get('prefix_delete_jobs'), storage.get('prefix_delete_deleted'), storage.get('prefix_delete_bytes')]).toEqual(['0', '1000', '18000']);
    expect(await client.list('expire jobs')).toEqual([expect.stringMatching(/^JOB \d+ a%3A 1000 18000 done$/), 'END']);
  });

  it('answers at once, and leaves what is stored afterwards', async () => {
    const keys = await fill('k', 5000);
    const number = /^job (\d+) /.exec(await run('delete', '-p', 'k'))?.[1];
    await client.set(keys[0]!, 'new');
    await client.set(keys[4999]!, 'new');
    await eventually(async () => (await client.list('expire jobs')).some((line) => line.startsWith(`JOB ${number} `) && line.endsWith(' done')), 'the job is done');
    expect(await lines('keys', '--raw')).toEqual([keys[0], keys[4999]]);
  });

  it('goes on after the server was killed, also for who waits', async () => {
    await fill('k', 20_000);
    await fill('other', 5);
    const waiting = workspace.start(['delete', '-P', String(server.port), '-p', 'k', '--wait']);
    await eventually(async () => (await client.stat('prefix_delete_deleted', 'storage')) > 0, 'the job has begun');
    const { port } = server;
    await server.kill();
    client.close();
    server = await workspace.serve({ withoutPort: true, args: ['--port', String(port)] });
    client = await RawClient.connect(port);
    const { code } = await waiting.ended;
    expect(waiting.stderr).toBe('');
    expect(code).toBe(0);
    expect(waiting.stdout).toMatch(/^deleted \d+ items, \d+ bytes\n$/);
    await eventually(async () => (await client.stat('prefix_delete_jobs', 'storage')) === 0, 'the job is done');
    expect(await run('keys', '--count')).toBe('5\n');
  });

  it('is refused without a prefix, and where control commands are', async () => {
    expect((await workspace.run(['delete', '-P', String(server.port)])).code).toBe(2);
    expect((await workspace.run(['delete', '-P', String(server.port), '-p', ''])).code).toBe(2);
    for (const command of ['expire delete', 'expire delete a b', 'expire delete %', 'expire jobs x', 'expire hotkeys x']) {
      expect(await client.ask(command)).toMatch(/^CLIENT_ERROR usage: expire /);
    }
    const closed = await workspace.serve({ directory: 'closed', args: ['--control', 'off'] });
    const { code, stderr } = await workspace.run(['delete', '-P', String(closed.port), '-p', 'k']);
    expect(code).toBe(1);
    expect(stderr).toContain('does not accept control commands');
    const stranger = await RawClient.connect(closed.port);
    for (const command of ['expire delete k', 'expire jobs', 'expire hotkeys']) {
      expect(await stranger.ask(command)).toBe('CLIENT_ERROR control commands are not accepted on this connection');
    }
    stranger.close();
  });
});

describe('top', () => {
  it('prints an interval as JSON, with hot keys and large values', async () => {
    await client.set('hot', 'x');
    await client.set('big', Buffer.alloc(50_000));
    await client.list('expire hotkeys');
    for (let i = 0; i < 30; i++) await client.get('hot');
    await client.get('big');
    const figures = JSON.parse(await run('top', '--once', '--json', '-i', '0.1')) as Record<string, unknown>;
    expect(figures).toMatchObject({ items: 2, isWritable: true, hitRateTotal: 1, hitRate: null });
    expect(figures['hotKeys']).toMatchObject([{ key: 'hot', count: 30 }, { key: 'big', count: 1 }]);
    expect(figures['bigValues']).toEqual([{ key: 'big', size: 50_000 }, { key: 'hot', size: 1 }]);
    expect(figures['probeMs']).toBeGreaterThan(0);
  });

  it('prints text where there is no terminal, with what happened in between', async () => {
    const program = workspace.start(['top', '-P', String(server.port), '-i', '1']);
    while (!program.isOver) {
      await client.get('missing');
      await delay(5);
    }
    expect((await program.ended).code).toBe(0);
    expect(program.stdout).toMatch(/hits +0\.0 %/);
    expect(program.stdout).toMatch(/gets\/s +\d/);
    expect(program.stdout).toContain('hot keys, about so often');
  });

  it('tells how full quotas are', async () => {
    const { port } = await workspace.serve({ directory: 'quotas', args: ['--quota', 'a%20b:=64k', '--quota', 'full:=64k'] });
    const filler = await RawClient.connect(port);
    await filler.set('full:1', Buffer.alloc(40_000));
    const { stdout } = await workspace.run(['top', '-P', String(port), '--json', '-i', '0.1']);
    const still = { limitBytes: 64 * 1024, evictions: 0, evictionsPerSecond: 0 };
    expect(JSON.parse(stdout)).toMatchObject({ quotas: [{ prefix: 'full:', usedBytes: 40_006, ...still }, { prefix: 'a b:', usedBytes: 0, ...still }] });
    filler.close();
  });

  it('does without hot keys where control commands are refused', async () => {
    const closed = await workspace.serve({ directory: 'closed', args: ['--control', 'off'] });
    const { code, stdout } = await workspace.run(['top', '-P', String(closed.port), '--json', '-i', '0.1']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ hotKeys: null, bigValues: null, overdueSeconds: null });
  });
});
