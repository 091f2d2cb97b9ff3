/**
 * `npm run bench:blocking`: drives each command at its worst and prints by how much each held the server's event loop up,
 * as the server's own `stats load` has it (docs/operations.md, "What one client can do to others"). Exits with 1 when one
 * took the processor for longer than it may in one go.
 */
import { join } from 'node:path';
import { fill, keys } from './hostile/fill.ts';
import { Opcode } from '../../src/protocol/binary-header.ts';
import { askPackets, type Case, largeBinaryCases, largeCases, packet } from './hostile/large-cases.ts';
import { Asker, Victim } from './hostile/victim.ts';

const MB = 1_000_000;
const ITEMS = 50_000;

/** CPU time that a step may take, in ms. Not time on the clock, of which others have their share on a busy machine. */
const BOUND_MS = 50;

/** Values up to 1 MB: what the default --max-item-size allows. */
const CASES: readonly Case[] = [
  { name: 'get of 10,000 keys of 1 KB, resident', run: (c) => c.ask(`get ${keys('k', 10_000)}\r\n`, 'END\r\n') },
  { name: 'get of 10,000 keys of 1 KB, on disk', run: (c) => c.ask(`get ${keys('cold', 10_000)}\r\n`, 'END\r\n') },
  { name: 'get of 10,000 keys, none there', run: (c) => c.ask(`get ${keys('no', 10_000)}\r\n`, 'END\r\n') },
  { name: 'the same again', run: (c) => c.ask(`get ${keys('no', 10_000)}\r\n`, 'END\r\n') },
  { name: 'get of 200,000 short keys (a line of 2 MB)', run: (c) => c.ask(`get ${keys('x', 200_000)}\r\n`, 'END\r\n') },
  { name: 'gat of 10,000 keys of 1 KB', run: (c) => c.ask(`gat 1000 ${keys('k', 10_000)}\r\n`, 'END\r\n') },
  { name: '200 gets of 1 MB, pipelined', run: (c) => c.ask(`${'get big0\r\n'.repeat(200)}mn\r\n`, 'MN\r\n') },
  { name: 'get of 100 keys of 1 MB', run: (c) => c.ask(`get ${keys('big', 100)}\r\n`, 'END\r\n') },
  { name: '100,000 mn, pipelined', run: (c) => c.ask(`${'mn\r\n'.repeat(100_000)}version\r\n`, '.0\r\n').catch(() => undefined) },
  { name: '100,000 mg, pipelined', run: (c) => c.ask(`${'mg k1 v t f c s\r\n'.repeat(100_000)}mn\r\n`, 'MN\r\n') },
  { name: '100,000 touch, pipelined', run: (c) => c.ask(`${Array.from({ length: 100_000 }, (_, i) => `touch k${i % 50_000} ${1000 + i}\r\n`).join('')}mn\r\n`, 'MN\r\n') },
  { name: '150,000 set of 1 byte, noreply', run: (c) => c.ask(`${Array.from({ length: 150_000 }, (_, i) => `set s${i} 0 0 1 noreply\r\nx\r\n`).join('')}mn\r\n`, 'MN\r\n') },
  { name: '150,000 set of 1 byte with a time to live, noreply', run: (c) => c.ask(`${Array.from({ length: 150_000 }, (_, i) => `set t${i} 0 2 1 noreply\r\nx\r\n`).join('')}mn\r\n`, 'MN\r\n') },
  { name: '300 set of 1 MB', run: (c) => fill(c, 'w', 300, MB) },
  { name: '1000 incr, and append to 1 MB', run: (c) => c.ask(`set n 0 0 1\r\n1\r\n${'incr n 1\r\n'.repeat(1000)}${'append big1 0 0 1\r\nx\r\n'.repeat(50)}mn\r\n`, 'MN\r\n') },
  ...['', ' settings', ' items', ' slabs', ' sizes', ' storage', ' expire', ' load', ' cachedump 1 0'].map(
    (group): Case => ({ name: `stats${group}`, run: (c) => c.ask(`stats${group}\r\n`, 'END\r\n') }),
  ),
  { name: '5000 stats, pipelined', run: (c) => c.ask(`${'stats\r\n'.repeat(5000)}mn\r\n`, 'MN\r\n') },
  {
    name: 'stats conns with 5000 connections, and they come at once',
    isUnbound: true,
    async run(client, port) {
      const others = await Promise.all(Array.from({ length: 5000 }, () => Asker.connect(port)));
      await client.ask('stats conns\r\n', 'END\r\n');
      for (const other of others) other.close();
    },
  },
  {
    name: 'stats detail dump with 65,536 prefixes',
    async run(client) {
      await seePrefixes(client);
      await client.ask('stats detail dump\r\n', 'END\r\n');
      await client.ask('stats detail off\r\n', 'OK\r\n');
    },
  },
  {
    name: '10,000 getq, pipelined, binary',
    async run(_client, port) {
      const other = await Asker.connect(port);
      await askPackets(other, Buffer.concat(Array.from({ length: 10_000 }, (_, i) => packet(Opcode.getQ, 0, `k${i}`, 0))));
      other.close();
    },
  },
  {
    name: 'expire hotkeys, and sampling between two of them',
    async run(client) {
      await client.ask('expire hotkeys\r\n', 'END\r\n');
      await client.ask(`get ${keys('k', 10_000)}\r\n`, 'END\r\n');
      await client.ask('expire hotkeys\r\n', 'END\r\n');
    },
  },
  { name: 'lru_crawler metadump all', run: (c) => c.ask('lru_crawler metadump all\r\n', 'END\r\n') },
  { name: 'lru_crawler mgdump all', run: (c) => c.ask('lru_crawler mgdump all\r\n', 'EN\r\n') },
  { name: 'expire list 10000', run: (c) => c.ask('expire list 10000 - 0\r\n', '\r\n') },
  { name: 'expire dump', run: (c) => readDump(c) },
  { name: 'expire due, keys and reap of 150,000 entries', run: (c) => reapAll(c) },
  {
    name: 'lru_crawler crawl all over 50,000 items that are due',
    async run(client) {
      await fill(client, 'due', 50_000, 100, 1);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      // Only then do stats tell of it.
      await client.ask('lru_crawler enable\r\n', '\r\n');
      await client.ask('lru_crawler crawl all\r\n', 'OK\r\n');
      await until(client, '', (stats) => stats.get('lru_crawler_running') === '0');
    },
  },
  { name: 'expire compact', run: (c) => c.ask('expire compact\r\n', '\r\n') },
  { name: 'cache_memlimit 4096, and back', run: async (c) => {
    await c.ask('cache_memlimit 4096\r\n', '\r\n');
    await c.ask('cache_memlimit 256\r\n', '\r\n');
  } },
  { name: 'expire delete s, 150,000 items', run: async (c) => {
    await c.ask('expire delete s\r\n', '\r\n');
    await until(c, 'storage', (stats) => stats.get('prefix_delete_jobs') === '0');
  } },
  { name: 'flush_all, and its space given back', run: async (c) => {
    await c.ask('flush_all\r\n', 'OK\r\n');
    await until(c, 'storage', (stats) => stats.get('items') === '0' && stats.get('flush_reclaim_running') === '0');
  } },
];

/** Of a server with as many quotas as there may be, and as many prefixes as are counted. */
const PREFIX_CASES: readonly Case[] = [
  { name: 'stats prefixes with 10,000 quotas and 65,536 prefixes', run: (c) => c.ask('stats prefixes\r\n', 'END\r\n') },
  {
    name: 'stats prefixes with as many, binary',
    async run(_client, port) {
      const other = await Asker.connect(port);
      await askPackets(other, packet(Opcode.stat, 0, 'prefixes', 0));
      other.close();
    },
  },
];

const QUOTA_ARGS: readonly string[] = Array.from({ length: 10_000 }, (_, i) => ['--quota', `tenant${i}:=1t`]).flat();

/** Values of so many MB: what a large --max-item-size allows. */
const LARGE = [128, 1000];

/** Options of a server that speaks TLS, with a certificate of test/fixtures. */
const TLS_ARGS = ['--tls', '--tls-cert', fixture('server'), '--tls-key', fixture('server-key')];

function fixture(name: string): string {
  return join(import.meta.dirname, '../../../test/fixtures/tls', `${name}.pem`);
}

/** Has as many prefixes counted as ever are. */
async function seePrefixes(client: Asker): Promise<void> {
  await client.ask('stats detail on\r\n', 'OK\r\n');
  for (let i = 0; i < 66_000; i += 1000) await client.ask(`get ${Array.from({ length: 1000 }, (_, k) => `prefix${i + k}:x`).join(' ')}\r\n`, 'END\r\n');
}

async function readDump(client: Asker): Promise<void> {
  // Its end is binary; an answer behind it ends with a line.
  await client.ask('expire dump\r\nmn\r\n', 'MN\r\n');
}

async function reapAll(client: Asker): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3500));
  for (;;) {
    const due = await client.ask('expire due 10000\r\n', '\r\n');
    const rows = [...due.matchAll(/^ROW (\S+) /gm)].map((match) => match[1]!);
    if (rows.length === 0) return;
    for (const row of rows.slice(0, 2)) await client.ask(`expire keys ${row}\r\n`, 'END\r\n');
    const seen = /END (\d+) /.exec(due)![1]!;
    await client.ask(`expire reap ${seen} ${rows.slice(0, 64).join(' ')}\r\n`, '\r\n');
  }
}

async function until(client: Asker, group: string, isDone: (stats: ReadonlyMap<string, string>) => boolean): Promise<void> {
  while (!isDone(await client.stats(group))) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function measure(label: string, args: readonly string[], prepare: (client: Asker) => Promise<void>, cases: readonly Case[]): Promise<string[]> {
  const victim = await Victim.start(args);
  const rows: string[] = [];
  try {
    const speaks = args.includes('--tls') ? 'tls' : 'plain';
    const watcher = await Asker.connect(victim.port, speaks);
    const client = await Asker.connect(victim.port, speaks);
    await prepare(client);
    for (const { name, run, isUnbound } of cases) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await watcher.ask('stats reset\r\n', 'RESET\r\n');
      await victim.longestStep();
      const began = performance.now();
      await run(client, victim.port);
      const tookMs = performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, 20));
      const step = await victim.longestStep();
      const load = await watcher.stats('load');
      const isBroken = isUnbound !== true && step > BOUND_MS;
      if (isBroken) process.exitCode = 1;
      const bound = isUnbound === true ? '-' : `${BOUND_MS}${isBroken ? ' BROKEN' : ''}`;
      rows.push(`| ${label}${name} | ${tookMs.toFixed(0)} | ${step.toFixed(0)} | ${bound} | ${load.get('loop_delay_ms_max')} |`);
      process.stderr.write(`${rows.at(-1)}\n`);
    }
    watcher.close();
    client.close();
  } finally {
    await victim.stop();
  }
  return rows;
}

const only = process.argv[2];
const chosen = (cases: readonly Case[]): readonly Case[] => cases.filter(({ name }) => only === undefined || name.includes(only));
const nothing = async (): Promise<void> => undefined;
const large = chosen(LARGE.flatMap(largeCases));
const largeBinary = chosen(LARGE.flatMap(largeBinaryCases));
const rows: string[] = [];
if (chosen(CASES).length > 0) {
  const prepare = async (client: Asker): Promise<void> => {
    await fill(client, 'big', 100, MB);
    await fill(client, 'cold', ITEMS, 1000);
    await fill(client, 'k', 50_000, 1000);
  };
  rows.push(...(await measure('', ['-m', '256', '-c', '10000', '--track-sizes'], prepare, chosen(CASES))));
}
if (chosen(PREFIX_CASES).length > 0) rows.push(...(await measure('', ['-m', '64', ...QUOTA_ARGS], seePrefixes, chosen(PREFIX_CASES))));
const LARGE_ARGS = ['-m', '64', '-I', '1g'];
if (large.length > 0) {
  rows.push(...(await measure('', LARGE_ARGS, nothing, large)));
  rows.push(...(await measure('ephemeral: ', ['-m', '4096', '-I', '1g', '--ephemeral-ttl', '3600'], nothing, large)));
  rows.push(...(await measure('TLS: ', [...LARGE_ARGS, ...TLS_ARGS], nothing, large)));
}
if (largeBinary.length > 0) rows.push(...(await measure('', LARGE_ARGS, nothing, largeBinary)));
process.stdout.write(`| Command | took ms | longest step, CPU ms | bound | longest loop delay ms |\n|---|---|---|---|---|\n${rows.join('\n')}\n`);
