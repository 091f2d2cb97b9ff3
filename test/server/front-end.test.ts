import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordingLogger } from '../cli/recording-logger.ts';
import { packet, BinaryClient } from '../support/binary-client.ts';
import { tempDirectory } from '../support/temp-directory.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { withUmask } from '../support/umask.ts';

const END = 'END\r\n';

/** The stats of a reply. */
function statsIn(reply: string): Map<string, string> {
  return new Map([...reply.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) => [name ?? '', value ?? '']));
}

async function stat(client: TestClient, name: string, group = ''): Promise<string | undefined> {
  return statsIn(await client.ask(`stats${group}\r\n`, END)).get(name);
}

/** What a client has been sent, up to a match. */
async function heard(client: TestClient, pattern: RegExp): Promise<string> {
  let text = '';
  while (!pattern.test(text)) text += await client.receive(1);
  return text;
}

describe('what can be switched off', () => {
  it('flush_all, in text and binary; it is counted all the same', async () => {
    const { port } = await startTestServer({ flushAll: false });
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 1\r\nx\r\n');
    expect(await client.ask('flush_all\r\n')).toBe('CLIENT_ERROR flush_all not allowed\r\n');
    client.send('flush_all noreply\r\n');
    expect(await client.ask('get a\r\n', END)).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
    const binary = await BinaryClient.connect(port);
    expect((await binary.ask({ opcode: 0x08 })).status).toBe(0x20);
    expect(await stat(client, 'cmd_flush')).toBe('3');
    expect(await stat(client, 'flush_enabled', ' settings')).toBe('no');
  });

  it('cas uniques: gets shows 0, and no cas matches', async () => {
    const { port } = await startTestServer({ cas: false });
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 1\r\nx\r\n');
    expect(await client.ask('gets a\r\n', END)).toBe('VALUE a 0 1 0\r\nx\r\nEND\r\n');
    expect(await client.ask('cas a 0 0 1 0\r\ny\r\n')).toBe('EXISTS\r\n');
    expect(await client.ask('cas b 0 0 1 0\r\ny\r\n')).toBe('NOT_FOUND\r\n');
    expect(await client.ask('mg a c\r\n')).toBe('HD c0\r\n');
    expect(await stat(client, 'cas_enabled', ' settings')).toBe('no');
  });

  it('commands that list keys', async () => {
    const { port } = await startTestServer({ dumping: false });
    const client = await TestClient.connect(port);
    expect(await client.ask('stats cachedump 1 0\r\n')).toBe('CLIENT_ERROR stats cachedump not allowed\r\n');
    expect(await client.ask('stats detail on\r\n')).toBe('CLIENT_ERROR stats detail not allowed\r\n');
    expect(await client.ask('lru_crawler metadump all\r\n')).toBe('ERROR metadump not allowed\r\n');
    expect(await client.ask('lru_crawler mgdump all\r\n')).toBe('ERROR key dump not allowed\r\n');
  });

  it('watch', async () => {
    const { port } = await startTestServer({ watching: false });
    const client = await TestClient.connect(port);
    expect(await client.ask('watch fetchers\r\n')).toBe('CLIENT_ERROR watch commands not allowed\r\n');
  });
});

describe('the protocol of a port', () => {
  it('can be text alone: what begins like a packet is a bad line', async () => {
    const { port } = await startTestServer({ protocol: 'ascii' });
    const client = await TestClient.connect(port);
    client.send(packet({ opcode: 0x0a }));
    expect(await client.ask('\r\nversion\r\n')).toContain('VERSION');
  });

  it('can be binary alone: a line closes the connection', async () => {
    const { port } = await startTestServer({ protocol: 'binary' });
    const client = await TestClient.connect(port);
    client.send('get a\r\n');
    expect(await client.end()).toBe('');
    const binary = await BinaryClient.connect(port);
    expect((await binary.ask({ opcode: 0x0a })).status).toBe(0);
  });
});

describe('requests per event', () => {
  it('lets others have their turn, and answers everything in order', async () => {
    const { port } = await startTestServer({ requestsPerEvent: 1 });
    const client = await TestClient.connect(port);
    const count = 50;
    let sent = '';
    let expected = '';
    for (let i = 0; i < count; i++) {
      sent += `set k 0 0 ${String(i).length}\r\n${i}\r\nget k\r\n`;
      expected += `STORED\r\nVALUE k 0 ${String(i).length}\r\n${i}\r\nEND\r\n`;
    }
    client.send(sent);
    expect(await client.receive(expected.length)).toBe(expected);
    expect(Number(await stat(client, 'conn_yields'))).toBeGreaterThanOrEqual(count);
  });
});

describe('shutdown', () => {
  it('asks for an orderly end, says nothing and closes', async () => {
    const { port, server } = await startTestServer({ shutdown: true });
    const client = await TestClient.connect(port);
    expect(await client.ask('shutdown now\r\n')).toBe('CLIENT_ERROR invalid shutdown mode\r\n');
    client.send('shutdown graceful\r\n');
    expect(await client.end()).toBe('');
    expect(await server.stopRequested).toContain('shutdown command');
  });

  it('is for those who may control the server', async () => {
    const { port } = await startTestServer({ shutdown: true, control: 'off' });
    const client = await TestClient.connect(port);
    expect(await client.ask('shutdown\r\n')).toContain('CLIENT_ERROR control commands are not accepted');
    expect(await client.ask('cache_memlimit 16\r\n')).toContain('CLIENT_ERROR control commands are not accepted');
  });
});

describe('verbosity', () => {
  it('is for those who may control the server, and silent to others who want no reply', async () => {
    const { port } = await startTestServer({ control: 'off' });
    const client = await TestClient.connect(port);
    expect(await client.ask('verbosity 2\r\n')).toBe('CLIENT_ERROR control commands are not accepted on this connection\r\n');
    client.send('verbosity 2 noreply\r\n');
    expect(await client.ask('mn\r\n')).toBe('MN\r\n');
    expect(await stat(client, 'verbosity', ' settings')).toBe('0');
  });

  it('is taken from this machine', async () => {
    const { port } = await startTestServer({}, { logger: recordingLogger().logger });
    const client = await TestClient.connect(port);
    expect(await client.ask('verbosity 1\r\n')).toBe('OK\r\n');
    client.send('verbosity 2 noreply\r\n');
    expect(await stat(client, 'verbosity', ' settings')).toBe('2');
  });
});

describe('cache_memlimit', () => {
  it('gives the RAM tier another size, and no item is lost', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    await client.ask('set a 5 0 3\r\nabc\r\n');
    expect(await client.ask('cache_memlimit 16\r\n')).toBe('OK\r\n');
    expect(await client.ask('get a\r\n', END)).toBe('VALUE a 5 3\r\nabc\r\nEND\r\n');
    expect(await stat(client, 'maxbytes', ' settings')).toBe(String(16 * 2 ** 20));
    expect(await stat(client, 'limit_maxbytes')).toBe(String(16 * 2 ** 20));
    client.send('cache_memlimit 8 noreply\r\n');
    expect(await stat(client, 'limit_maxbytes')).toBe(String(8 * 2 ** 20));
  });

  it.each([
    ['7', 'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m'],
    ['1000000001', 'MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes'],
    ['1000000000', 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust'],
    ['', 'ERROR'],
    ['x', 'ERROR'],
  ])('refuses %j', async (megabytes, reply) => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    expect(await client.ask(`cache_memlimit ${megabytes}\r\n`)).toBe(`${reply}\r\n`);
  });
});

describe('what cannot stand behind other commands in one packet', () => {
  it('metadump, mgdump and watch', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const expected =
      'EN\r\nERROR cannot pipeline other commands before metadump\r\n' +
      'ERROR cannot pipeline other commands before mgdump\r\nERROR cannot pipeline other commands before watch\r\n';
    client.send('mg missing v\r\nlru_crawler metadump all\r\nlru_crawler mgdump all\r\nwatch\r\n');
    expect(await client.receive(expected.length)).toBe(expected);
  });
});

describe('idle connections', () => {
  it('are closed when they have said nothing for long enough, and counted', async () => {
    const { port, clock } = await startTestServer({ idleTimeout: 5 });
    const idle = await TestClient.connect(port);
    const busy = await TestClient.connect(port);
    await idle.ask('version\r\n');
    clock.advance(4);
    expect(await stat(busy, 'idle_kicks')).toBe('0');
    clock.advance(2);
    await busy.ask('version\r\n');
    expect(await idle.end()).toBe('');
    expect(await stat(busy, 'idle_kicks')).toBe('1');
  });

  it('may wait for a data block', async () => {
    const { port, clock } = await startTestServer({ idleTimeout: 5 });
    const storing = await TestClient.connect(port);
    const idle = await TestClient.connect(port);
    await storing.ask('version\r\n');
    await idle.ask('version\r\n');
    storing.send('set a 0 0 5\r\nhe');
    await expect.poll(async () => await (await TestClient.connect(port)).ask('stats conns\r\n', END)).toContain('conn_nread');
    clock.advance(60);
    await idle.end();
    expect(await storing.ask('llo\r\n')).toBe('STORED\r\n');
  });
});

describe('the unix socket', () => {
  it.each(['000', '022', '077'])('is for its owner alone unless told otherwise, whatever the umask: %s', async (mask) => {
    const socket = join(tempDirectory(), 'socket');
    await withUmask(Number.parseInt(mask, 8), async () => await startTestServer({ socket }));
    expect(statSync(socket).mode & 0o777).toBe(0o700);
  });

  it.each(['000', '077'])('has the mode that it is told, whatever the umask: %s', async (mask) => {
    const socket = join(tempDirectory(), 'socket');
    await withUmask(Number.parseInt(mask, 8), async () => await startTestServer({ socket, socketMode: 0o660 }));
    expect(statSync(socket).mode & 0o777).toBe(0o660);
  });
});

describe('the ports file', () => {
  it('tells which ports were opened', async () => {
    const portFile = join(tempDirectory(), 'ports');
    const { port } = await startTestServer({ portFile, udpPort: 0 });
    const udpPort = /^UDP INET: (\d+)\n/m.exec(readFileSync(portFile, 'latin1'))?.[1];
    expect(readFileSync(portFile, 'latin1')).toBe(`TCP INET: ${port}\nUDP INET: ${udpPort}\n`);
    expect(existsSync(`${portFile}.lck`)).toBe(false);
  });
});

describe('listing everything', () => {
  it('lists all items to a client that reads slowly, without holding up others', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const count = 20_000;
    const prefix = 'k'.repeat(200);
    let sent = '';
    for (let i = 0; i < count; i++) sent += `set ${prefix}${i} 0 0 1 noreply\r\nx\r\n`;
    client.send(sent);
    await client.ask('mn\r\n');
    client.socket.pause();
    client.send('lru_crawler metadump all\r\n');
    const other = await TestClient.connect(port);
    expect(await other.ask(`get ${prefix}7\r\n`, END)).toContain('VALUE');
    client.socket.resume();
    const dump = await client.ask('', END);
    const keys = new Set([...dump.matchAll(/^key=(\S+) /gm)].map((match) => match[1]));
    expect(keys.size).toBe(count);
    expect(await client.ask('mn\r\n')).toBe('MN\r\n');
  });

  it('cachedump shows keys, sizes and times', async () => {
    const { port, clock } = await startTestServer();
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 3\r\nabc\r\n');
    await client.ask('set b 0 100 1\r\nx\r\n');
    expect(await client.ask('stats cachedump 1 0\r\n', END)).toBe(`ITEM a [3 b; 0 s]\r\nITEM b [1 b; ${clock.now() + 100} s]\r\nEND\r\n`);
    expect(await client.ask('stats cachedump 1 1\r\n', END)).toBe('ITEM a [3 b; 0 s]\r\nEND\r\n');
  });

  it('sizes are counted in steps of 32 bytes, where that was asked for', async () => {
    const { port } = await startTestServer({ trackSizes: true });
    const client = await TestClient.connect(port);
    await client.ask('set a 0 0 3\r\nabc\r\n');
    await client.ask('set b 0 0 4\r\nabcd\r\n');
    await client.ask(`set c 0 0 100\r\n${'x'.repeat(100)}\r\n`);
    expect(await client.ask('stats sizes\r\n', END)).toBe('STAT 64 2\r\nSTAT 160 1\r\nEND\r\n');
  });
});

describe('watch', () => {
  it('shows what another connection does', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const watcher = await TestClient.connect(port);
    expect(await watcher.ask('watch fetchers mutations deletions\r\n')).toBe('OK\r\n');
    await client.ask('set a 0 0 1\r\nx\r\n');
    await client.ask('get a\r\n', END);
    await client.ask('delete a\r\n');
    const seen = await heard(watcher, /type=deleted .*\n/);
    const lines = seen.trimEnd().split('\n').map((line) => line.replace(/^ts=\d+\.\d{6} gid=\d+ /, ''));
    expect(lines).toEqual([
      'type=item_get key=a status=not_found clsid=0 cfd=2 size=0',
      'type=item_store key=a status=stored cmd=set ttl=0 clsid=1 cfd=2 size=1',
      'type=item_get key=a status=found clsid=1 cfd=2 size=1',
      'type=item_get key=a status=found clsid=1 cfd=2 size=1',
      'type=deleted key=a cmd=delete clsid=1 size=1',
    ]);
  });

  it('is a state of its own, and ends with its connection', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const watcher = await TestClient.connect(port);
    await watcher.ask('watch\r\n');
    expect(await client.ask('stats conns\r\n', END)).toContain(':state conn_watch\r\n');
    expect(await stat(client, 'log_watchers')).toBe('1');
    watcher.send('get a\r\n');
    watcher.socket.end();
    await watcher.end();
    await expect.poll(async () => await stat(client, 'log_watchers')).toBe('0');
  });

  it('shows connections come and go, and why', async () => {
    const { port } = await startTestServer();
    const watcher = await TestClient.connect(port);
    await watcher.ask('watch connevents\r\n');
    const polite = await TestClient.connect(port);
    polite.send('quit\r\n');
    await polite.end();
    polite.socket.destroy();
    expect(await heard(watcher, /conn_close.*\n/)).toMatch(
      /type=conn_new rip=127\.0\.0\.1 rport=\d+ transport=tcp cfd=3\n.*type=conn_close .* transport=tcp reason=normal cfd=3\n/s,
    );
    const browser = await TestClient.connect(port);
    browser.send('GET / HTTP/1.1\r\n');
    await browser.end();
    browser.socket.destroy();
    expect(await heard(watcher, /conn_close.*\n/)).toContain(' reason=error cfd=4\n');
  });
});

describe('stats', () => {
  it('has the 84 names of memcached, in its order', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    const names = [...statsIn(await client.ask('stats\r\n', END)).keys()];
    expect(names).toEqual(
      (
        'pid uptime time version libevent pointer_size rusage_user rusage_system max_connections curr_connections ' +
        'total_connections rejected_connections connection_structures response_obj_oom response_obj_count ' +
        'response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds cmd_get cmd_set ' +
        'cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses delete_hits incr_misses ' +
        'incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large ' +
        'store_no_memory auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns listen_disabled_num ' +
        'time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes hash_is_expanding slab_reassign_rescues ' +
        'slab_reassign_chunk_rescues slab_reassign_inline_reclaim slab_reassign_busy_items slab_reassign_busy_deletes ' +
        'slab_reassign_busy_nomem slab_reassign_last_busy_status slab_reassign_running slabs_moved malloc_fails ' +
        'log_worker_dropped log_worker_written log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids ' +
        'round_robin_fallback bytes curr_items total_items slab_global_page_pool expired_unfetched evicted_unfetched ' +
        'evictions reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked'
      ).split(' '),
    );
  });

  it('counts by the prefix before another delimiter, from the start', async () => {
    const { port } = await startTestServer({ prefixDelimiter: '/', detail: true });
    const client = await TestClient.connect(port);
    await client.ask('set a/b:c 0 0 1\r\nx\r\n');
    await client.ask('get a/b:c\r\n', END);
    expect(await client.ask('stats detail dump\r\n', END)).toBe('PREFIX a get 1 hit 1 set 1 del 0\r\nEND\r\n');
    expect(await stat(client, 'stat_key_prefix', ' settings')).toBe('/');
  });

  it('shows the crawler once it is enabled', async () => {
    const { port } = await startTestServer();
    const client = await TestClient.connect(port);
    expect(await stat(client, 'lru_crawler_running')).toBeUndefined();
    await client.ask('lru_crawler enable\r\n');
    expect(await stat(client, 'lru_crawler_running')).toBe('0');
    expect(await stat(client, 'lru_crawler', ' settings')).toBe('yes');
  });
});
