import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ServeConfig } from '../../src/config.ts';
import { Opcode } from '../../src/protocol/binary-header.ts';
import { arithmetic, BinaryClient, u32s } from '../support/binary-client.ts';
import { checkStore } from '../support/check-store.ts';
import { eventually } from '../support/process.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';

const FULL = 'SERVER_ERROR out of memory storing object';
const KIB = 1024;
/** Not to be reached by anything here. */
const MUCH = 2 ** 40;

async function serve(quotas: Readonly<Record<string, number>>, change: Partial<ServeConfig> = {}) {
  const started = await startTestServer({ quotas: Object.entries(quotas).map(([prefix, bytes]) => ({ prefix, bytes })), ...change });
  return { ...started, client: await connected(started.port) };
}

async function connected(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  return client;
}

/** Sends sets of all keys at once and takes the replies; gives back how many were stored. */
async function setAll(client: RawClient, keys: readonly string[], length: number): Promise<number> {
  const value = 'v'.repeat(length);
  client.send(keys.map((key) => `set ${key} 0 0 ${length}\r\n${value}\r\n`).join(''));
  let stored = 0;
  for (const _ of keys) {
    const line = await client.line();
    if (line === 'STORED') stored++;
    else expect(line).toBe(FULL);
  }
  return stored;
}

function keysOf(prefix: string, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(from + i).padStart(6, '0')}`);
}

describe('a quota', () => {
  it.each([100, 1000, 20_000])('is never exceeded by a client that floods its prefix with values of %i bytes, and costs others nothing', async (length) => {
    const limit = 512 * KIB;
    const { client, port, server, directory } = await serve({ 'flood:': limit, 'calm:': limit });
    const calm = await connected(port);
    const items = Math.floor((limit * 0.9) / (length + 11));
    expect(await setAll(calm, keysOf('calm:', 0, items), length)).toBe(items);
    let stored = 0;
    let sent = 0;
    let most = 0;
    while (sent < 3 * items) {
      const batch = Math.ceil(items / 8);
      stored += await setAll(client, keysOf('flood:', sent, batch), length);
      sent += batch;
      most = Math.max(most, await calm.stat('quota:flood%3A:bytes', 'prefixes'));
      expect(await calm.set(`calm:${String(sent % items).padStart(6, '0')}`, 'v'.repeat(length))).toBe('STORED');
    }
    expect(most).toBeLessThanOrEqual(limit);
    expect(most).toBeGreaterThan(0.9 * limit);
    expect(stored).toBeGreaterThan(items);
    const stats = await calm.stats('prefixes');
    expect(Number(stats.get('quota:flood%3A:evictions'))).toBeGreaterThan(0);
    expect(Number(stats.get('quota:flood%3A:refused'))).toBe(sent - stored);
    expect([stats.get('quota:calm%3A:evictions'), stats.get('quota:calm%3A:refused'), stats.get('quota:calm%3A:items')]).toEqual(['0', '0', String(items)]);
    await eventually(async () => (await calm.stat('quota:flood%3A:bytes', 'prefixes')) <= 0.97 * limit, 'eviction makes room ahead of time');
    // Evictions may still go on between the two questions.
    await eventually(async () => (await calm.stat('evictions')) === (await calm.stat('quota:flood%3A:evictions', 'prefixes')), 'all evictions are of that prefix');
    client.close();
    calm.close();
    await server.stop();
    await checkStore(directory);
  });

  it('with -M refuses stores and keeps everything, until something is deleted', async () => {
    const { client } = await serve({ 'a:': 64 * KIB }, { evictions: false });
    const keys = keysOf('a:', 0, 200);
    const stored = await setAll(client, keys, 1000);
    expect(stored).toBe(Math.floor((64 * KIB) / 1008));
    expect(await client.set('b:1', 'v'.repeat(100_000))).toBe('STORED');
    expect(await client.text(keys[0]!)).toBe('v'.repeat(1000));
    expect(await client.store('add', 'a:x', 'v'.repeat(1000))).toBe(FULL);
    expect(await client.ask('delete a:000001')).toBe('DELETED');
    expect(await client.store('add', 'a:x', 'v'.repeat(1000))).toBe('STORED');
    const stats = await client.stats();
    expect([stats.get('evictions'), stats.get('store_no_memory')]).toEqual(['0', String(200 - stored + 1)]);
  });

  it('is named in the log once when it refuses stores', async () => {
    const told: unknown[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void told.push(JSON.parse(line)) });
    const { port } = await startTestServer({ quotas: [{ prefix: 'a:', bytes: 64 * KIB }, { prefix: 'b:', bytes: MUCH }], evictions: false }, { logger });
    const client = await connected(port);
    await setAll(client, keysOf('a:', 0, 70), 1000);
    await eventually(() => Promise.resolve(told.length > 0), 'it is told');
    expect(told).toMatchObject([{ refused: 5, prefixes: ['a:'], msg: 'quota reached, stores are refused while there is no room' }]);
  });

  it('counts what a value replaces: one that is rewritten needs no room for both', async () => {
    const { client } = await serve({ 'a:': 64 * KIB }, { evictions: false, memory: 1, ramTier: false });
    expect(await client.set('a:1', 'x'.repeat(60_000))).toBe('STORED');
    expect(await client.set('a:1', 'y'.repeat(62_000))).toBe('STORED');
    expect(await client.store('replace', 'a:1', 'z'.repeat(64 * KIB - 3))).toBe('STORED');
    expect(await client.store('append', 'a:1', '!')).toBe(FULL);
    expect(await client.store('prepend', 'a:1', '')).toBe('STORED');
    expect(await client.text('a:1')).toBe('z'.repeat(64 * KIB - 3));
    // As with one that is too large, a set removes what was there.
    expect(await client.set('a:1', 'x'.repeat(64 * KIB))).toBe(FULL);
    expect(await client.get('a:1')).toBeUndefined();
  });

  it('holds for whatever makes an item larger', async () => {
    const { client, port } = await serve({ 'a:': 64 * KIB }, { evictions: false });
    expect(await client.set('a:n', '9')).toBe('STORED');
    expect(await client.set('a:1', 'x'.repeat(64 * KIB - 3 - 4))).toBe('STORED');
    expect(await client.stat('quota:a%3A:bytes', 'prefixes')).toBe(64 * KIB);
    expect(await client.ask('incr a:n 1')).toBe('SERVER_ERROR out of memory');
    expect(await client.ask('decr a:n 1')).toBe('8');
    expect(await client.ask('ma a:n')).toBe('HD');
    expect(await client.ask('ma a:n')).toBe('SERVER_ERROR out of memory');
    expect(await client.ask('ma a:m N0 J5')).toBe('SERVER_ERROR out of memory');
    expect(await client.ask('mg a:m N30 v')).toBe('SERVER_ERROR out of memory');
    expect(await client.ask('mg a:m v')).toBe('EN');
    expect(await client.ask('ms a:m 1\r\nx')).toBe(FULL);
    expect(await client.ask('touch a:n 100')).toBe('TOUCHED');
    expect(await client.ask('mg a:n v')).toBe('VA 1');
    expect(await client.line()).toBe('9');
    expect(await client.store('append', 'a:n', 'x')).toBe(FULL);
    expect(await client.stat('quota:a%3A:refused', 'prefixes')).toBe(6);
    const binary = await BinaryClient.connect(port);
    expect(await binary.ask({ opcode: Opcode.set, extras: u32s(0, 0), key: 'a:b', value: 'xxxx' })).toMatchObject({ status: 0x82 });
    expect(await binary.ask({ opcode: Opcode.increment, extras: arithmetic(1, 5, 0), key: 'a:b' })).toMatchObject({ status: 0x82 });
    expect(await binary.ask({ opcode: Opcode.increment, extras: arithmetic(1, 5, 0), key: 'b:b' })).toMatchObject({ status: 0 });
  });

  it('on a store that has more already lets nothing in, and makes room', async () => {
    const first = await startTestServer();
    const before = await connected(first.port);
    expect(await setAll(before, keysOf('a:', 0, 500), 1000)).toBe(500);
    before.close();
    await first.server.stop();
    const { client } = await serve({ 'a:': 128 * KIB, b: MUCH }, { file: first.directory });
    await eventually(async () => (await client.stat('quotas_uncounted', 'storage')) === 0, 'all is counted');
    await eventually(async () => (await client.stat('quota:a%3A:bytes', 'prefixes')) <= 0.95 * 128 * KIB, 'there is room again');
    expect(await client.stat('quota:a%3A:items', 'prefixes')).toBe(await client.stat('curr_items'));
    expect(await client.stat('quota:a%3A:items', 'prefixes')).toBeGreaterThan(115);
    expect(await client.set('a:new', 'x')).toBe('STORED');
  });

  it('within another counts for both', async () => {
    const { client } = await serve({ 'wiki:': 128 * KIB, 'wiki:en:': 64 * KIB }, { evictions: false });
    expect(await setAll(client, keysOf('wiki:en:', 0, 100), 1000)).toBe(Math.floor((64 * KIB) / 1014));
    expect(await client.set('wiki:de:1', 'x'.repeat(60_000))).toBe('STORED');
    expect(await client.set('wiki:de:2', 'x'.repeat(10_000))).toBe(FULL);
    const stats = await client.stats('prefixes');
    expect(Number(stats.get('quota:wiki%3A:bytes'))).toBe(Number(stats.get('quota:wiki%3Aen%3A:bytes')) + 60_009);
  });

  it('is told to the expiry daemon, which has its steps done, and to watchers', async () => {
    // A daemon that reports is left the work below the high mark.
    const { client, port } = await serve({ 'a:': 100_000 });
    expect(await client.ask('expire report sweeps 1')).toBe('OK');
    const watcher = await connected(port);
    expect(await watcher.ask('watch evictions')).toBe('OK');
    expect(await client.stat('evict_bytes')).toBeNaN();
    const state = async (): Promise<string | undefined> => (await client.list('expire state')).find((line) => line.startsWith('STAT evict_bytes'));
    expect(await setAll(client, keysOf('a:', 0, 96), 1002)).toBe(96);
    expect(await state()).toBe('STAT evict_bytes 0');
    expect(await client.set('a:last', 'x'.repeat(1000))).toBe('STORED');
    expect(await state()).toBe('STAT evict_bytes 2966');
    const [word, scanned, evicted, bytes] = (await client.ask('expire evict 1')).split(' ');
    expect([word, Number(scanned) >= 3, Number(evicted), Number(bytes)]).toEqual(['REAPED', true, 3, 3030]);
    expect(await state()).toBe('STAT evict_bytes 0');
    watcher.send('');
    await eventually(async () => watcher.received.toString('latin1').split('\n').length > 3, 'lines of evictions');
    expect(watcher.received.toString('latin1')).toMatch(/type=eviction key=a%3A000000 fetch=no/);
  });
});

describe('stats prefixes', () => {
  it('tells of prefixes with quotas, always', async () => {
    const { client } = await serve({ 'a:': MUCH, 'a b\xff': MUCH });
    await client.set('a:1', 'xyz');
    await client.getMany('a:1', 'a:2', 'b');
    await client.ask('mg a:1 v');
    await client.line();
    expect(await client.list('stats prefixes')).toEqual([
      ...['limit 1099511627776', 'bytes 0', 'items 0', 'counted 1', 'gets 0', 'hits 0', 'sets 0', 'evictions 0', 'refused 0'].map((text) => `STAT quota:a%20b%FF:${text}`),
      ...['limit 1099511627776', 'bytes 6', 'items 1', 'counted 1', 'gets 3', 'hits 2', 'sets 1', 'evictions 0', 'refused 0'].map((text) => `STAT quota:a%3A:${text}`),
      'STAT prefixes_seen 0',
      'STAT prefixes_shown 0',
      'END',
    ]);
    expect(await client.list('stats detail dump')).toEqual(['END']);
    const settings = Object.fromEntries(await client.stats('settings'));
    expect(settings).toMatchObject({ detail_enabled: 'no', quota_0: 'a%3A=1099511627776', quota_1: 'a%20b%FF=1099511627776', disk_limit: '0' });
    expect(await client.ask('stats reset')).toBe('RESET');
    const after = await client.stats('prefixes');
    expect([after.get('quota:a%3A:gets'), after.get('quota:a%3A:items')]).toEqual(['0', '1']);
  });

  it('tells of a prefix that is called like an error, in the binary protocol too', async () => {
    const { client, port } = await serve({ 'ERROR:': MUCH }, { detail: true });
    await client.set('ERROR:1', 'x');
    for (const key of ['prefixes', 'detail dump']) {
      const binary = await BinaryClient.connect(port);
      expect(await binary.ask({ opcode: Opcode.stat, key })).toMatchObject({ status: 0 });
      binary.socket.destroy();
    }
  });

  it('tells of what stats detail counts, the most used first, unless listing is forbidden', async () => {
    const { client, port } = await serve({}, { detail: true });
    await client.set('a:1', 'x');
    await client.getMany('b:1', 'b:2', 'a:1', 'b:3');
    const lines = ['prefixes_seen 2', 'prefixes_shown 2', 'prefix:b:gets 3', 'prefix:b:hits 0', 'prefix:b:sets 0', 'prefix:b:evictions 0'];
    expect(await client.list('stats prefixes')).toEqual([
      ...[...lines, 'prefix:a:gets 1', 'prefix:a:hits 1', 'prefix:a:sets 1', 'prefix:a:evictions 0'].map((text) => `STAT ${text}`),
      'END',
    ]);
    expect(await client.list('stats detail dump')).toEqual(['PREFIX a get 1 hit 1 set 1 del 0', 'PREFIX b get 3 hit 0 set 0 del 0', 'END']);
    const binary = await BinaryClient.connect(port);
    expect(await binary.ask({ opcode: Opcode.stat, key: 'prefixes' })).toMatchObject({ status: 0, key: 'prefixes_seen', value: Buffer.from('2') });
    const closed = await serve({ 'a:': MUCH }, { detail: true, dumping: false });
    await closed.client.set('b:1', 'x');
    expect((await closed.client.list('stats prefixes')).every((line) => line === 'END' || line.startsWith('STAT quota:a%3A:'))).toBe(true);
  });
});
