/**
 * `npm run bench:memory -- [MEMORY]`: what a server takes under one load after the other, beside what it promises
 * (docs/operations.md, "Memory"). Needs Linux.
 */
import { rssBound } from './attacks.ts';
import { fill, keys } from './hostile/fill.ts';
import { Asker, Victim } from './hostile/victim.ts';

const MB = 2 ** 20;
/** More do not show more: what grows with items has a fixed size. */
const ITEMS_MAX = 1_500_000;

/** Loads, one after the other, for a server with `--memory` of so many bytes. */
const LOADS: readonly (readonly [name: string, run: (port: number, client: Asker, bytes: number) => Promise<unknown>])[] = [
  ['start, empty', (_port, client) => client.ask('mn\r\n', 'MN\r\n')],
  ['items of 100 bytes, twice --memory or 1.5 million', (_port, client, bytes) => fill(client, 's', Math.min(ITEMS_MAX, Math.floor((2 * bytes) / 110)), 100)],
  ['items of 1 KB, twice --memory or 1.5 million', (_port, client, bytes) => fill(client, 'k', Math.min(ITEMS_MAX, Math.floor((2 * bytes) / 1010)), 1000)],
  ['items of 100 KB, twice --memory', (_port, client, bytes) => fill(client, 'b', Math.floor((2 * bytes) / 100_000), 100_000)],
  [
    '50 clients, each with 5000 pipelined gets of 1 KB',
    (port) => each(port, 50, (client, i) => client.ask(`${Array.from({ length: 5000 }, (_, k) => `get k${(k * 7 + i * 1000) % 100_000}\r\n`).join('')}mn\r\n`, 'MN\r\n')),
  ],
  [
    '50 clients, each with 5000 pipelined sets of 1 KB',
    (port) => each(port, 50, (client, i) => fill(client, `c${i}-`, 5000, 1000)),
  ],
  ['8 clients that get 500 values of 100 KB at a time', (port) => each(port, 8, (client) => client.ask(`get ${keys('b', 500)}\r\n`, 'END\r\n'))],
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

const memory = Number(process.argv[2] ?? 64);
const victim = await Victim.start(['-m', String(memory)]);
try {
  process.stdout.write(`-m ${memory}: ${(rssBound(memory) / MB).toFixed(0)} MB promised\n\n| After | VmRSS, MB | RssAnon | RssFile | highest so far (VmHWM) |\n|---|---|---|---|---|\n`);
  const client = await Asker.connect(victim.port);
  for (const [name, run] of LOADS) {
    await run(victim.port, client, memory * MB);
    const [rss, anonymous, file, peak] = [victim.rss, victim.anonymousRss, victim.fileRss, victim.peakRss].map((bytes) => (bytes / MB).toFixed(0));
    process.stdout.write(`| ${name} | ${rss} | ${anonymous} | ${file} | ${peak} |\n`);
  }
  client.close();
} finally {
  await victim.stop();
}
