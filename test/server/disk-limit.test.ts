import { crc32 } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { innerSweep } from '../../daemon/inner-sweep.ts';
import type { ServeConfig } from '../../src/config.ts';
import { Opcode, Status } from '../../src/protocol/binary-header.ts';
import type { StartDeps } from '../../src/server/start.ts';
import { DiskBudget } from '../../src/upkeep/disk-budget.ts';
import { recordingLogger } from '../cli/recording-logger.ts';
import { arithmetic, BinaryClient } from '../support/binary-client.ts';
import { bytesUnder } from '../support/bytes-under.ts';
import { checkStore } from '../support/check-store.ts';
import { eventually } from '../support/process.ts';
import { startTestServer } from '../support/test-server.ts';
import { RawClient } from '../wire/raw-client.ts';

const MIB = 2 ** 20;
/** Smaller than the command line takes, and so soon full: stores are refused from 10 MiB on. */
const LIMIT = 40 * MIB;
const BUDGET = new DiskBudget(LIMIT);
const NEAR = 'info: near the disk limit, evicting what was not read lately: no expiry daemon reports';
const REACHED = 'error: disk limit reached, stores are refused while there is no room';
const FULL = 'SERVER_ERROR out of memory storing object';
const VALUE = 'v'.repeat(30_000);
/** Commands that are on their way at once. */
const BATCH = 100;
/** The same of a flood. */
const FLOOD_BATCH = 1000;
/** Small items of a flood. */
const FLOOD = 2000;

async function serve(change: Partial<ServeConfig> = {}, deps: Partial<StartDeps> = {}) {
  const started = await startTestServer({ diskLimit: LIMIT, memory: 4, ...change }, deps);
  return { ...started, client: await connected(started.port) };
}

async function connected(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  return client;
}

/** Keys nearly as long as they may be, so that an item without a value takes room. */
function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${'k'.repeat(230)}${i}`);
}

/** Sends commands that are answered by a line each, some at a time; gives back the answers. */
async function askAll(client: RawClient, commands: readonly string[], atOnce = BATCH): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < commands.length; i += atOnce) {
    const batch = commands.slice(i, i + atOnce);
    client.send(batch.map((command) => `${command}\r\n`).join(''));
    for (const _ of batch) answers.push((await client.line()) ?? 'connection ended');
  }
  return answers;
}

/** Stores values until one is refused; gives back how many were stored. */
async function fillUp(client: RawClient): Promise<number> {
  for (let i = 0; ; i++) {
    const answer = await client.set(`fill${i}`, VALUE);
    if (answer === FULL) return i;
    expect(answer).toBe('STORED');
  }
}

/** Stores large values of so many bytes together; gives back how many. */
async function storeBytes(client: RawClient, name: string, bytes: number, exptime: number): Promise<number> {
  const count = Math.floor(bytes / VALUE.length);
  const commands = Array.from({ length: count }, (_, i) => `set ${name}${i} 0 ${exptime} ${VALUE.length}\r\n${VALUE}`);
  expect(new Set(await askAll(client, commands))).toEqual(new Set(['STORED']));
  return count;
}

/** Stores more than the limit holds, with evictions, some at a time. */
async function overfill(client: RawClient): Promise<void> {
  await storeBytes(client, 'k', 1.7 * BUDGET.full, 0);
  await eventually(async () => (await client.stat('evictions')) > 0, 'evictions');
}

/** Has commands answered, many at a time, and looks at the directory in between; gives back the most bytes there were too. */
async function flood(client: RawClient, directory: string, commands: readonly string[]): Promise<{ most: number; answers: string[] }> {
  const answers: string[] = [];
  let most = 0;
  for (let i = 0; i < commands.length; i += FLOOD_BATCH) {
    answers.push(...(await askAll(client, commands.slice(i, i + FLOOD_BATCH), FLOOD_BATCH)));
    most = Math.max(most, bytesUnder(directory));
  }
  return { most, answers };
}

describe('a limit on disk', () => {
  it.each([
    ['in the order of their keys', (i: number) => `k${String(i).padStart(8, '0')}`],
    ['in no order', (i: number) => `${crc32(String(i))}:${i}`],
  ])('is kept by a flood of values that lie in rows, %s, of which the last are there afterwards', async (_, keyOf) => {
    const { server, client, directory } = await serve();
    const keys = Array.from({ length: 90_000 }, (__, i) => keyOf(i));
    const { most, answers } = await flood(client, directory, keys.map((key) => `set ${key} 0 0 100\r\n${'v'.repeat(100)}`));
    expect(most).toBeLessThan(LIMIT);
    expect(await client.stat('evictions')).toBeGreaterThan(10_000);
    // A disk that is slower than writers may have some refused, each after a second.
    const stored = keys.filter((__, i) => answers[i] === 'STORED');
    expect(stored.length).toBeGreaterThan(80_000);
    const last = stored.slice(-100).map((key) => `mg ${key} s`);
    expect(await askAll(client, last)).toEqual(last.map(() => 'HD s100'));
    client.close();
    await server.stop();
    await checkStore(directory);
  });

  it('is kept by values of both kinds, some of which expire, are touched and are counted up', async () => {
    const { logger } = recordingLogger();
    const { server, client, clock, directory } = await serve({}, { logger, sweep: innerSweep(logger) });
    let most = 0;
    const last: string[] = [];
    for (let round = 0; round < 12; round++) {
      const commands: string[] = [];
      for (let i = 0; i < 500; i++) {
        const name = `${round}:${i}`;
        commands.push(`set small${name} 0 ${i % 2 === 0 ? 10 : 0} 100\r\n${'s'.repeat(100)}`);
        commands.push(`set large${name} 0 ${i % 3 === 0 ? 10 : 0} 3000\r\n${'l'.repeat(3000)}`);
        commands.push(`ma number${i} N0 J1`, `touch small${round - 1}:${i} ${100 + round}`, `incr number${i} 1`);
      }
      const done = await flood(client, directory, commands);
      most = Math.max(most, done.most);
      const isStored = (command: string, i: number): boolean => command.startsWith('set ') && done.answers[i] === 'STORED';
      last.splice(0, last.length, ...commands.filter(isStored).slice(-100).map((command) => command.split(' ')[1]!));
      if (round === 3 || round === 7) clock.advance(20);
    }
    expect(most).toBeLessThan(LIMIT);
    expect(await client.stat('evictions')).toBeGreaterThan(100);
    const lasting = last.filter((name) => Number(name.split(':')[1]) % 6 === 1);
    expect(lasting.length).toBeGreaterThan(10);
    expect(new Set(await askAll(client, lasting.map((name) => `mg ${name}`)))).toEqual(new Set(['HD']));
    client.close();
    await server.stop();
    await checkStore(directory);
  });
});

describe('a limit on disk with -M', () => {
  it.each([
    ['mg with N', (key: string) => `mg ${key} N0`, 'HD W', 'SERVER_ERROR out of memory'],
    ['ma with N', (key: string) => `ma ${key} N0 J5`, 'HD', 'SERVER_ERROR out of memory'],
    ['ms', (key: string) => `ms ${key} 1\r\nx`, 'HD', FULL],
  ])('refuses the items of a flood of %s', async (_, command, stored, refused) => {
    const { client, directory } = await serve({ evictions: false });
    await fillUp(client);
    const before = await client.stat('curr_items');
    const answers = await askAll(client, keysOf(FLOOD).map(command));
    const made = answers.filter((answer) => answer === stored).length;
    expect(answers.filter((answer) => answer === refused)).toHaveLength(FLOOD - made);
    // There may have been room left where no large value fitted.
    expect(made).toBeLessThan(FLOOD / 2);
    expect(answers.at(-1)).toBe(refused);
    expect([await client.stat('curr_items'), await client.stat('store_no_memory')]).toEqual([before + made, FLOOD - made + 1]);
    expect(bytesUnder(directory)).toBeLessThan(BUDGET.full + MIB);
  });

  it('refuses the items of a flood of binary incr with an initial value', async () => {
    const { client, port } = await serve({ evictions: false });
    await fillUp(client);
    const before = await client.stat('curr_items');
    const binary = await BinaryClient.connect(port);
    binary.send(...keysOf(FLOOD).map((key) => ({ opcode: Opcode.increment, extras: arithmetic(1, 5, 0), key })));
    const statuses: number[] = [];
    for (let i = 0; i < FLOOD; i++) statuses.push((await binary.take()).status);
    const made = statuses.filter((status) => status === Status.ok).length;
    expect(statuses.filter((status) => status === Status.outOfMemory)).toHaveLength(FLOOD - made);
    expect(made).toBeLessThan(FLOOD / 2);
    expect(statuses.at(-1)).toBe(Status.outOfMemory);
    expect(await client.stat('curr_items')).toBe(before + made);
  });

  it.each([
    ['append', 'append large 0 0 1\r\nx', 'STORED'],
    ['ms in mode P', 'ms large 1 MP\r\nx', 'HD'],
  ])('refuses %s to a value which there is no room to write anew', async (_, command, stored) => {
    const { client } = await serve({ evictions: false, maxItemSize: 8 * MIB, ramTier: false });
    expect(await client.set('small', 'x')).toBe('STORED');
    expect(await client.set('large', 'x'.repeat(4 * MIB))).toBe('STORED');
    expect(await client.ask(command)).toBe(stored);
    const used = await client.stat('disk_used_bytes', 'storage');
    expect(await client.ask(command)).toBe(FULL);
    expect(await client.stat('disk_used_bytes', 'storage')).toBeLessThan(used + MIB);
    expect(await client.ask('append small 0 0 1\r\ny')).toBe('STORED');
    expect(await client.ask('append absent 0 0 1\r\ny')).toBe('NOT_STORED');
    expect(await client.text('small')).toBe('xy');
  });

  it('lets commands on what is there go on', async () => {
    const { client } = await serve({ evictions: false });
    expect(await client.set('number', '5')).toBe('STORED');
    await fillUp(client);
    // Takes what may be left for small items.
    await askAll(client, keysOf(FLOOD).map((key) => `mg ${key} N0`));
    expect(await client.ask('mg absent N0')).toBe('SERVER_ERROR out of memory');
    expect(await client.ask('mg absent')).toBe('EN');
    expect(await client.ask('mg number N0 t')).toBe('HD t-1');
    expect(await client.ask('incr number 5')).toBe('10');
    expect(await client.ask('ma number N0 J5')).toBe('HD');
    expect(await client.ask('touch number 100')).toBe('TOUCHED');
    expect(await client.ask('delete fill0')).toBe('DELETED');
    expect(await client.text('number')).toBe('11');
  });
});

describe('a limit on disk without a daemon', () => {
  it('has what has expired deleted before anything that is alive is evicted', async () => {
    const { logger, lines } = recordingLogger();
    const { client, clock } = await serve({}, { logger, sweep: innerSweep(logger) });
    // As old as can be: these would be evicted first.
    expect(await storeBytes(client, 'old', 4 * MIB, 0)).toBeGreaterThan(100);
    await storeBytes(client, 'dead', 2.5 * MIB, 10);
    expect(await client.stat('disk_used_bytes', 'storage')).toBeLessThan(BUDGET.begin);
    clock.advance(60);
    await storeBytes(client, 'new', 1 * MIB, 0);
    await eventually(async () => (await client.stat('disk_used_bytes', 'storage')) < BUDGET.low, 'room');
    const storage = await client.stats('storage');
    expect([storage.get('sweeps_in_process'), storage.get('evicted_total')]).toEqual(['1', '0']);
    expect(await client.stat('items_expired_total', 'expire')).toBeGreaterThan(80);
    expect(await client.ask('mg old0 s')).toBe(`HD s${VALUE.length}`);
    // That sweep was no daemon.
    await overfill(client);
    expect(lines.filter((line) => line.includes('disk limit'))).toEqual([NEAR]);
  });

  it('evicts where nothing has expired', async () => {
    const { logger } = recordingLogger();
    const { client } = await serve({}, { logger, sweep: innerSweep(logger) });
    await storeBytes(client, 'k', BUDGET.begin + MIB / 2, 1000);
    await eventually(async () => (await client.stat('disk_used_bytes', 'storage')) < BUDGET.begin, 'room');
    const storage = await client.stats('storage');
    expect([storage.get('sweeps_in_process'), Number(storage.get('evicted_total')) > 0]).toEqual(['0', true]);
  });
});

describe('what the log and stats tell of a limit on disk', () => {
  it('with -M is once that stores are refused', async () => {
    const { logger, lines } = recordingLogger();
    const { client } = await serve({ evictions: false }, { logger });
    await fillUp(client);
    expect(await client.set('more', VALUE)).toBe(FULL);
    const stats = await client.stats('storage');
    expect(stats.get('disk_full')).toBe('1');
    expect(Number(stats.get('disk_times_full'))).toBeGreaterThanOrEqual(1);
    expect(lines.filter((line) => line.includes('disk limit'))).toEqual([REACHED]);
  });

  it('else is once that the server evicts by itself, and why', async () => {
    const { logger, lines } = recordingLogger();
    const { client } = await serve({}, { logger });
    await overfill(client);
    expect(await client.stat('disk_full', 'storage')).toBe(0);
    expect(lines.filter((line) => line.includes('disk limit'))).toEqual([NEAR]);
  });

  it('is that the daemon does not keep up where one reports', async () => {
    const { logger, lines } = recordingLogger();
    const { client } = await serve({}, { logger });
    expect(await client.ask('expire report sweeps 1')).toBe('OK');
    await overfill(client);
    expect(lines.filter((line) => line.includes('disk limit'))).toEqual([NEAR.replace('no expiry daemon reports', 'the expiry daemon does not keep up')]);
  });

  it('is what was copied of values that were kept because they were read', async () => {
    const { client } = await serve();
    const count = await storeBytes(client, 'k', BUDGET.begin - MIB, 0);
    for (let i = 0; i < count; i++) expect(await client.text(`k${i}`)).toBe(VALUE);
    expect(await client.stat('eviction_kept_bytes', 'storage')).toBe(0);
    await storeBytes(client, 'more', 1.5 * MIB, 0);
    const storage = await eventually(async () => {
      const stats = await client.stats('storage');
      return stats.get('eviction_kept') !== '0' && stats.get('eviction_running') === '0' ? stats : undefined;
    }, 'items kept');
    const [kept, bytes] = ['eviction_kept', 'eviction_kept_bytes'].map((name) => Number(storage.get(name))) as [number, number];
    expect(bytes).toBeGreaterThan(kept * VALUE.length);
    expect(bytes).toBeLessThan(kept * (VALUE.length + 100));
  });

  it('is that a value was refused that is larger than the limit', async () => {
    const { logger, lines } = recordingLogger();
    const { client } = await serve({ maxItemSize: 32 * MIB }, { logger });
    const large = 'x'.repeat(11 * MIB);
    expect(await client.set('large', large)).toBe(FULL);
    expect(await client.set('large', large)).toBe(FULL);
    const full = await client.stats('storage');
    expect([full.get('disk_full'), full.get('disk_times_full')]).toEqual(['1', '1']);
    expect(await client.set('small', 'x')).toBe('STORED');
    const after = await client.stats('storage');
    expect([after.get('disk_full'), after.get('disk_times_full')]).toEqual(['0', '1']);
    expect(lines.filter((line) => line.includes('disk limit'))).toEqual([REACHED]);
  });
});
