/**
 * `npm run bench:memory -- [MEMORY]`: what a server takes under one load after the other, beside what it promises
 * (docs/operations.md, "Memory"): the process's own memory and the program's pages, without LevelDB's tables, which are
 * mapped, and given back when the kernel needs their memory. Needs Linux. Exit status 1 = a bound was exceeded.
 */
import { rssBound } from './attacks.ts';
import { fill, keys } from './hostile/fill.ts';
import { Asker, Victim } from './hostile/victim.ts';

const MB = 2 ** 20;
/** More do not show more: what grows with items has a fixed size. */
const ITEMS_MAX = 1_500_000;
const SAMPLE_MS = 10;

interface Load {
  readonly name: string;
  readonly run: (port: number, client: Asker, bytes: number) => Promise<unknown>;
  /** Bytes of the large values that are on their way at once: they come on top, once as they are and once until V8 collects them. */
  readonly largeBytes?: number;
}

/** Loads, one after the other, for a server with `--memory` of so many bytes. */
const LOADS: readonly Load[] = [
  { name: 'start, empty', run: (_port, client) => client.ask('mn\r\n', 'MN\r\n') },
  { name: 'items of 100 bytes, twice --memory or 1.5 million', run: (_port, client, bytes) => fill(client, 's', Math.min(ITEMS_MAX, Math.floor((2 * bytes) / 110)), 100) },
  { name: 'items of 1 KB, twice --memory or 1.5 million', run: (_port, client, bytes) => fill(client, 'k', Math.min(ITEMS_MAX, Math.floor((2 * bytes) / 1010)), 1000) },
  { name: 'items of 100 KB, twice --memory', run: (_port, client, bytes) => fill(client, 'b', Math.floor((2 * bytes) / 100_000), 100_000) },
  {
    name: '50 clients, each with 5000 pipelined gets of 1 KB',
    run: (port) => each(port, 50, (client, i) => client.ask(`${Array.from({ length: 5000 }, (_, k) => `get k${(k * 7 + i * 1000) % 100_000}\r\n`).join('')}mn\r\n`, 'MN\r\n')),
  },
  { name: '50 clients, each with 5000 pipelined sets of 100 bytes', run: (port) => each(port, 50, (client, i) => fill(client, `a${i}-`, 5000, 100)) },
  { name: 'the same with a time to live', run: (port) => each(port, 50, (client, i) => fill(client, `t${i}-`, 5000, 100, 1000 + i)) },
  { name: '50 clients, each with 5000 pipelined sets of 1 KB', run: (port) => each(port, 50, (client, i) => fill(client, `c${i}-`, 5000, 1000)) },
  { name: '50 clients, each with 100 pipelined sets of 100 KB', run: (port) => each(port, 50, (client, i) => fill(client, `d${i}-`, 100, 100_000)) },
  { name: '8 clients that get 500 values of 100 KB at a time', run: (port) => each(port, 8, (client) => client.ask(`get ${keys('b', 500)}\r\n`, 'END\r\n')) },
  { name: 'a listing of all keys, twice', run: (port) => each(port, 2, (client) => client.ask('lru_crawler metadump all\r\n', 'END\r\n')) },
  { name: '20 clients, each with 20 pipelined sets of 1 MB', run: (port) => each(port, 20, (client, i) => fill(client, `e${i}-`, 20, 1_000_000)), largeBytes: 20e6 },
  {
    name: '10 clients, each with 20 pipelined gets of 1 MB',
    run: (port) => each(port, 10, (client, i) => client.ask(`${Array.from({ length: 20 }, (_, k) => `get e${(i + k) % 20}-${k}\r\n`).join('')}mn\r\n`, 'MN\r\n')),
    largeBytes: 10e6,
  },
];

async function each(port: number, count: number, run: (client: Asker, i: number) => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const client = await Asker.connect(port);
      await run(client, i);
      client.close();
    }),
  );
}

const mb = (bytes: number): string => (bytes / MB).toFixed(0);
const memory = Number(process.argv[2] ?? 64);
const victim = await Victim.start(['-m', String(memory)]);
const program = victim.fileRss;
let peak = 0;
const sampling = setInterval(() => (peak = Math.max(peak, victim.anonymousRss)), SAMPLE_MS);
try {
  process.stdout.write(`-m ${memory}; the program's pages: ${mb(program)} MB\n\n| Load | own memory at most (RssAnon), MB | with the program | bound | mapped tables |\n|---|---|---|---|---|\n`);
  const client = await Asker.connect(victim.port);
  for (const { name, run, largeBytes = 0 } of LOADS) {
    peak = victim.anonymousRss;
    await run(victim.port, client, memory * MB);
    const most = Math.max(peak, victim.anonymousRss);
    const bound = rssBound(memory) + 2 * largeBytes;
    if (most + program > bound) process.exitCode = 1;
    process.stdout.write(`| ${name} | ${mb(most)} | ${mb(most + program)} | ${mb(bound)} | ${mb(Math.max(0, victim.fileRss - program))} |\n`);
  }
  client.close();
} finally {
  clearInterval(sampling);
  await victim.stop();
}
