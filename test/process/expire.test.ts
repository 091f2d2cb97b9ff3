import { describe, expect, it } from 'vitest';
import { eventually, type Program, type ServerProcess, type Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';
import { serverForEach } from './server-for-each.ts';

let workspace: Workspace;
let server: ServerProcess;
let client: RawClient;
serverForEach((started) => ({ workspace, server, client } = started));

interface Summary {
  readonly dryRun: boolean;
  readonly scanned: number;
  readonly expired: number;
  readonly removed: number;
  readonly bytes: number;
  readonly stale: number;
  readonly changed: number;
  readonly indexEntries: number;
  readonly lagSeconds: number;
}

/** Starts a daemon that does not sleep long; gives back where its stats are. */
async function startDaemon(args: readonly string[] = []): Promise<{ daemon: Program; statsPort: number }> {
  const daemon = workspace.start(['expire', '-P', String(server.port), '--interval', '0.2', '--stats-port', '0', ...args]);
  const { stats } = await daemon.logged('expiry daemon started');
  return { daemon, statsPort: Number(String(stats).split(':').at(-1)) };
}

/** One sweep by a process of its own. */
async function sweepOnce(...args: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await workspace.run(['expire', '-P', String(server.port), '--once', '--json', ...args]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Summary;
}

async function items(): Promise<number> {
  return client.stat('items', 'storage');
}

/** Stores items that live for a second, and waits until their index rows are due. */
async function storeExpired(count: number, prefix = 'k'): Promise<void> {
  for (let i = 0; i < count; i++) await client.set(`${prefix}${i}`, 'value', 0, 1);
  await due(1);
}

/** Waits until all that has been stored so far with at most `life` seconds is due, in whichever seconds that was. */
async function due(life: number): Promise<void> {
  const last = Math.floor(Date.now() / 1000) + life;
  await eventually(async () => {
    const state = new Map((await client.list('expire state')).map((line) => [line.split(' ')[1], Number(line.split(' ')[2])]));
    const deadline = state.get('oldest_deadline') ?? 0;
    const now = state.get('now') ?? 0;
    return deadline !== 0 && deadline < now && last < now;
  }, 'all is due');
}

describe('the daemon', () => {
  it('takes expired items from disk, leaves others, and says so in its stats and the server’s', async () => {
    const { daemon, statsPort } = await startDaemon();
    await client.set('kept', 'x');
    await client.set('later', 'x', 0, 1000);
    for (let i = 0; i < 100; i++) await client.set(`k${i}`, 'value', 0, 1);
    for (let i = 0; i < 10; i++) await client.set(`large${i}`, Buffer.alloc(5000), 0, 1);
    await eventually(async () => (await items()) === 2, 'items go from disk');
    const stats = await RawClient.connect(statsPort);
    await eventually(async () => (await stats.stat('items_expired')) === 110, 'all are counted');
    const own = await stats.stats();
    expect(own.get('server_reachable')).toBe('1');
    expect(Number(own.get('bytes_reclaimed'))).toBeGreaterThan(50_000);
    expect(Number(own.get('sweeps'))).toBeGreaterThan(0);
    for (const name of ['entries_scanned', 'stale_entries_dropped', 'oldest_overdue_seconds', 'index_entries', 'last_sweep_ms', 'last_sweep_rate', 'items_changed', 'reconnects']) {
      expect(own.has(name), name).toBe(true);
    }
    expect(Number(own.get('oldest_overdue_seconds'))).toBeLessThan(5);
    expect(await stats.ask('version')).toMatch(/^VERSION /);
    expect(await stats.ask('set a 0 0 1')).toMatch(/^(ERROR|CLIENT_ERROR)/);
    await eventually(async () => (await client.stat('items_expired', 'expire')) === 110, 'the server shows it');
    expect(await client.stat('items_expired_total', 'expire')).toBe(110);
    expect(await client.stat('index_entries_now', 'expire')).toBe(1);
    expect(await client.text('kept')).toBe('x');
    expect(await client.text('later')).toBe('x');
    expect(await daemon.stop()).toBe(0);
  });

  it('shows what the server says of the disk, and so does the server', async () => {
    await client.set('large', Buffer.alloc(50_000));
    await startDaemon();
    await eventually(async () => {
      const [storage, reported] = [await client.stats('storage'), await client.stats('expire')];
      return ['live_bytes', 'dead_bytes', 'disk_bytes', 'value_gc_bytes_given_back'].every((name) => storage.has(name) && reported.get(name) === storage.get(name));
    }, 'the report agrees with the storage');
    const reported = await client.stats('expire');
    expect(Number(reported.get('live_bytes'))).toBe(50_005);
    expect(Number(reported.get('disk_bytes'))).toBeGreaterThan(50_000);
  });

  it('survives a restart of the server and goes on', async () => {
    const { daemon, statsPort } = await startDaemon();
    const stats = await RawClient.connect(statsPort);
    await eventually(async () => (await stats.stat('server_reachable')) === 1, 'reachable');
    const { port } = server;
    await server.kill();
    await eventually(async () => (await stats.stat('server_reachable')) === 0, 'unreachable');
    server = await workspace.serve({ args: ['--port', String(port)], withoutPort: true });
    client = await RawClient.connect(server.port);
    await client.set('a', 'x', 0, 1);
    await eventually(async () => (await items()) === 0, 'sweeps again');
    await eventually(async () => (await stats.stat('reconnects')) >= 1 && (await stats.stat('server_reachable')) === 1, 'counted');
    expect(daemon.isOver).toBe(false);
  });

  it('may be there twice', async () => {
    await startDaemon();
    await startDaemon();
    for (let i = 0; i < 300; i++) await client.set(`k${i}`, 'value', 0, 1 + (i % 2));
    await client.set('kept', 'x');
    await eventually(async () => (await items()) === 1, 'items go from disk');
    await eventually(async () => (await client.stat('index_entries', 'storage')) === 0, 'the index is empty');
    expect(await client.stat('items_expired_total', 'expire')).toBe(300);
    expect(await client.text('kept')).toBe('x');
  });
});

describe('--once', () => {
  it('sweeps until nothing is due and prints a summary', async () => {
    await storeExpired(25);
    await client.set('kept', 'x', 0, 1000);
    expect(await items()).toBe(26);
    const { code, stdout } = await workspace.run(['expire', '-P', String(server.port), '--once']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^expired: +25 items deleted$/m);
    expect(stdout).toMatch(/^left: +1 index entries, oldest overdue 0 s$/m);
    expect(await items()).toBe(1);
    expect(await sweepOnce()).toMatchObject({ expired: 0, scanned: 0, indexEntries: 1, lagSeconds: 0 });
  });

  it('--json tells the same in one object, with the lag', async () => {
    await storeExpired(10);
    expect(await sweepOnce()).toMatchObject({ dryRun: false, expired: 10, removed: 0, changed: 0, bytes: 10 * 7, indexEntries: 0, lagSeconds: 0 });
  });

  it('drops index entries whose item has changed, and not the item', async () => {
    // Two seconds: the first may be over at once, as seconds of the clock count.
    await client.set('touched', 'x', 0, 2);
    await client.set('rewritten', 'x', 0, 2);
    await client.set('deleted', 'x', 0, 2);
    await client.ask('touch touched 1000');
    await client.set('rewritten', 'y');
    await client.ask('delete deleted');
    await due(2);
    const { expired, stale } = await sweepOnce();
    expect(expired).toBe(0);
    expect(stale).toBe(3);
    expect((await client.getMany('touched', 'rewritten', 'deleted')).map(({ key }) => key)).toEqual(['touched', 'rewritten']);
  });

  it('works over the unix socket', async () => {
    const path = workspace.path('socket');
    await server.stop();
    server = await workspace.serve({ args: ['--socket', path], addresses: 2 });
    client = await RawClient.connect(path);
    await storeExpired(3);
    const { code, stdout } = await workspace.run(['expire', '--socket', path, '--once', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ expired: 3 });
  });

  it('fails clearly when no server is there', async () => {
    const { port } = server;
    await server.stop();
    const { code, stderr } = await workspace.run(['expire', '-P', String(port), '--once', '--wait', '0.1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`tugela-ts: Cannot reach the server at 127\\.0\\.0\\.1:${port}`));
  });
});

describe('what it deletes and shows', () => {
  it('--dry-run counts and deletes nothing', async () => {
    await storeExpired(5);
    expect(await sweepOnce('--dry-run')).toMatchObject({ dryRun: true, expired: 5 });
    expect(await items()).toBe(5);
    expect(await client.stat('index_entries', 'storage')).toBe(5);
  });

  it('--print writes delete lines that the server takes', async () => {
    await storeExpired(5);
    await client.set('kept', 'x');
    const { code, stdout } = await workspace.run(['expire', '-P', String(server.port), '--print']);
    expect(code).toBe(0);
    expect(stdout.split('\r\n').toSorted()).toEqual(['', ...[0, 1, 2, 3, 4].map((i) => `delete k${i}`)]);
    expect(await items()).toBe(6);
    const pipe = await RawClient.connect(server.port);
    pipe.send(`${stdout}quit\r\n`);
    await pipe.ended;
    expect(pipe.received.toString()).toBe('NOT_FOUND\r\n'.repeat(5));
    await client.ask('sync');
    expect(await items()).toBe(1);
  });

  it('-o deletes what was stored long ago, whatever its exptime', async () => {
    await client.set('old', 'x');
    await client.set('old-with-exptime', 'x', 0, 1000);
    await eventually(async () => {
      const [line] = await client.list('expire list 1 - 0 old');
      return Number((await client.list('expire state'))[2]?.split(' ')[2]) - Number(line?.split(' ')[4]) >= 6;
    }, 'six seconds pass');
    // Five seconds, in days: more than a sweep takes to start on a slow machine.
    const days = (5 / 86_400).toFixed(9);
    await client.set('new', 'x');
    expect(await sweepOnce('-o', days, '--dry-run')).toMatchObject({ removed: 2, dryRun: true });
    await client.set('new', 'x');
    expect(await sweepOnce('-o', days)).toMatchObject({ removed: 2 });
    expect((await client.getMany('old', 'old-with-exptime', 'new')).map(({ key }) => key)).toEqual(['new']);
  });

  it('-p looks at keys with a prefix only', async () => {
    await client.set('other:kept', 'x');
    await client.set('some:kept', 'x');
    await storeExpired(4, 'some:');
    await storeExpired(4, 'other:');
    expect(await sweepOnce('-p', 'some:')).toMatchObject({ removed: 4, expired: 0 });
    expect((await client.list('expire list 100 - 0')).map((line) => decodeURIComponent(line.split(' ')[1] ?? ''))).toEqual(['other:0', 'other:1', 'other:2', 'other:3', 'other:kept', 'some:kept', '-']);
  });
});

describe('-f', () => {
  it('sweeps the directory of a stopped server', async () => {
    await storeExpired(20);
    await client.set('kept', 'x', 5, 1000);
    await server.stop();
    const { code, stdout } = await workspace.run(['expire', '-f', workspace.path('data'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ expired: 20, indexEntries: 1 });
    server = await workspace.serve();
    client = await RawClient.connect(server.port);
    expect(await items()).toBe(1);
    expect(await client.get('kept')).toMatchObject({ flags: 5, value: Buffer.from('x') });
  });

  it('says to connect instead when a server holds the directory', async () => {
    const { code, stderr } = await workspace.run(['expire', '-f', workspace.path('data')]);
    expect(code).toBe(1);
    expect(stderr).toContain(workspace.path('data'));
    expect(stderr).toContain(String(server.pid));
    expect(stderr).toMatch(/connect/i);
    expect(await client.set('a', 'x')).toBe('STORED');
  });

  it('does not make a store where there is none', async () => {
    const { code, stderr } = await workspace.run(['expire', '-f', workspace.path('nowhere')]);
    expect(code).toBe(1);
    expect(stderr).toContain(workspace.path('nowhere'));
  });
});

describe('the race of rewriting against reaping', () => {
  it('never loses a key that is stored or touched in the very moment of its expiry', async () => {
    await startDaemon(['--interval', '0.05']);
    const keys = Array.from({ length: 40 }, (_, i) => `race${i}`);
    const writer = await RawClient.connect(server.port);
    let losses = 0;
    let revived = 0;
    let expired = 0;
    const endMs = performance.now() + 6000;
    for (let round = 0; performance.now() < endMs; round++) {
      for (const key of keys) expect(await writer.set(key, `short ${round}`, 0, 1)).toBe('STORED');
      // From now on each key is about to expire: give it a longer life in all ways, just before, during and after.
      const isTouch = round % 2 === 1;
      const saved = new Set<string>();
      const turn = Date.now();
      while (saved.size < keys.length && Date.now() < turn + 2500) {
        for (const [i, key] of keys.entries()) {
          if (saved.has(key) || Date.now() < turn + 700 + i * 40) continue;
          if (!isTouch) {
            expect(await writer.set(key, `long ${round}`, 0, 1000)).toBe('STORED');
            saved.add(key);
          } else if ((await writer.ask(`touch ${key} 1000`)) === 'TOUCHED') {
            saved.add(key);
          } else {
            expired++;
            expect(await writer.store('add', key, `long ${round}`, 0, 1000)).toBe('STORED');
            saved.add(key);
          }
        }
        await client.ask('mn');
      }
      revived += saved.size;
      const found = await writer.getMany(...keys);
      losses += saved.size - found.filter(({ key }) => saved.has(key)).length;
    }
    expect(losses).toBe(0);
    expect(revived).toBeGreaterThan(keys.length);
    expect(expired).toBeGreaterThan(0);
    await writer.ask('sync');
    expect(await writer.getMany(...keys)).toHaveLength(keys.length);
  });

  it('never loses a key when reaps are fired as fast as can be while it is rewritten', async () => {
    const reaper = await RawClient.connect(server.port);
    const over = new AbortController();
    let reaped = 0;
    const reaping = (async () => {
      while (!over.signal.aborted) {
        const lines = await reaper.list('expire due 1000');
        const rows = lines.filter((line) => line.startsWith('ROW ')).map((line) => line.split(' ')[1]);
        const seen = lines.at(-1)?.split(' ')[1];
        if (rows.length > 0) reaped += Number((await reaper.ask(`expire reap ${seen} ${rows.slice(0, 64).join(' ')}`)).split(' ')[1]);
      }
    })();
    const endMs = performance.now() + 4000;
    let rounds = 0;
    try {
      for (; performance.now() < endMs; rounds++) {
        const key = `k${rounds % 50}`;
        // Due within the second, and at once stored anew or touched; it may be gone before that.
        await client.set(key, 'short', 0, 1);
        if (rounds % 3 === 0 || (await client.ask(`touch ${key} ${rounds % 3 === 1 ? 0 : 1000}`)) === 'NOT_FOUND') await client.set(key, 'long');
        expect((await client.get(key))?.key).toBe(key);
      }
    } finally {
      over.abort();
      await reaping;
    }
    expect(rounds).toBeGreaterThan(100);
    expect(reaped).toBeGreaterThan(0);
    const keys = Array.from({ length: Math.min(50, rounds) }, (_, i) => `k${i}`);
    expect(await client.getMany(...keys)).toHaveLength(keys.length);
  });
});

describe('who may send the control commands', () => {
  const commands = ['expire', 'expire state', 'expire due 1', 'expire list 1 - 0', 'expire remove a 1 0', 'expire report a 1'];

  it('nobody with --control off', async () => {
    await server.stop();
    server = await workspace.serve({ args: ['--control', 'off', '--socket', workspace.path('socket')], addresses: 2 });
    for (const where of [server.port, workspace.path('socket')]) {
      client = await RawClient.connect(where);
      for (const command of commands) expect(await client.ask(command)).toBe('CLIENT_ERROR control commands are not accepted on this connection');
      expect(await client.ask('sync')).toBe('OK');
    }
    const { code, stderr } = await workspace.run(['expire', '-P', String(server.port), '--once']);
    expect(code).toBe(1);
    expect(stderr).toContain('does not accept control commands');
  });

  it('everybody with --control any, local clients by default', async () => {
    expect((await client.list('expire state')).at(-1)).toBe('END');
    await server.stop();
    server = await workspace.serve({ args: ['--control', 'any'] });
    client = await RawClient.connect(server.port);
    expect((await client.list('expire state')).at(-1)).toBe('END');
    expect(await client.ask('expire')).toBe('OK');
  });
});
