/**
 * `npm run bench:beside-cold`: how long hits in RAM take while others read what is in no memory at all. One load asks for a few items
 * again and again, at a fixed rate; beside it, 50 connections ask for any of 1.5 GB as fast as they are answered, now from the page cache
 * and now with the files kept out of it, or nobody does. To keep them out costs others something too, so that is measured alone as
 * well. Needs Linux and python3. The figures are in docs/benchmarks.md.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { coldFilesMissing, keepCold } from './cold-files.ts';
import type { LoadResult, LoadSpec } from './load/load-spec.ts';
import { LoadGenerator } from './load-generator.ts';
import { fill } from './measurement.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { mainThreadWaits } from './process-usage.ts';
import { runKept } from './run-kept.ts';
import { Server } from './server.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';
import { tugelaAs } from './tugela.ts';
import { fillLoad, workloads } from './workloads.ts';

const ITEMS = 1_500_000;
const HOT_ITEMS = 1000;
const HOT_RATE = 2000;
const HOT_CONNECTIONS = 10;
const OTHER_CONNECTIONS = 50;
const MEMORY_MB = 64;
const ROUNDS = 5;
const SECONDS = 5;
/** Until each of the few items has been asked for ten times: whoever is not in RAM yet is no hit. */
const HOT_SECONDS = (10 * HOT_ITEMS) / HOT_RATE;
const SETTLE_LIMIT_MS = 10_000;

const WAYS = ['nobody', 'nobody, files kept out of memory', 'gets from the page cache', 'gets from the disk'] as const;
type Way = (typeof WAYS)[number];

function isCold(way: Way): boolean {
  return way === 'nobody, files kept out of memory' || way === 'gets from the disk';
}

interface Outcome {
  readonly hits: LoadResult;
  readonly others: LoadResult | undefined;
  /** Share of the time in which the server's main thread was ready to run, and others had the cores. */
  readonly readyShare: number;
  /** Pages from the disk that it waited for, per second. */
  readonly majorFaults: number;
}

/** Has the kernel keep a server's files, after they were put out of its memory. */
async function readAll(directory: string): Promise<void> {
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name);
    if (!(await stat(path)).isFile()) continue;
    for await (const _ of createReadStream(path, { highWaterMark: 2 ** 20 })) continue;
  }
}

async function measure(server: Server, way: Way, hot: LoadGenerator, others: LoadGenerator, keeper: ProcessKeeper): Promise<Outcome> {
  const endCold = isCold(way) ? await keepCold(server.dataDirectory, server.pid, keeper) : undefined;
  if (way === 'gets from the page cache') await readAll(server.dataDirectory);
  try {
    const run = (seconds: number): Promise<LoadResult[]> => Promise.all((way.startsWith('gets') ? [hot, others] : [hot]).map((generator) => generator.run(seconds)));
    await run(1);
    const before = mainThreadWaits(server.pid);
    const startedAt = performance.now();
    const [hits, beside] = await run(SECONDS);
    const seconds = (performance.now() - startedAt) / 1000;
    const after = mainThreadWaits(server.pid);
    for (const result of [hits, beside]) if (result !== undefined && result.wrong > 0) throw new Error(`wrong answers: ${result.firstWrong}`);
    return {
      hits: hits!,
      others: beside,
      readyShare: (after.readySeconds - before.readySeconds) / seconds,
      majorFaults: (after.majorFaults - before.majorFaults) / seconds,
    };
  } finally {
    endCold?.();
    await server.settle(SETTLE_LIMIT_MS);
  }
}

const HEAD = ['beside', 'their gets/s', 'hits/s', 'p50 µs', 'p99 µs', '×', 'p99.9 µs', 'thread waits for a core', 'for a page, /s'];

const missing = coldFilesMissing();
if (missing !== undefined) throw new Error(missing);
await runKept(tmpdir(), 'tugela-beside-', async ({ directory, keeper }) => {
  const { load } = workloads.find(({ name }) => name === 'big-get-cold')!;
  const server = await Server.start(tugelaAs('tugela', ['--expire-every', '5', '-m', String(MEMORY_MB)]), { directory, valueBytes: 1000, connections: 100 }, keeper);
  const common = { port: server.port, keyPrefix: 'item:', checkValues: true };
  const spec: LoadSpec = { ...load, ...common, connections: OTHER_CONNECTIONS, items: ITEMS, seed: 1 };
  process.stderr.write(`storing ${ITEMS} items\n`);
  await fill(server, { ...spec, ...fillLoad(load) }, keeper);
  const hot = await LoadGenerator.start({ ...load, ...common, connections: HOT_CONNECTIONS, items: HOT_ITEMS, seed: 2, mode: 'paced', rate: HOT_RATE }, keeper);
  const others = await LoadGenerator.start(spec, keeper);
  await hot.run(HOT_SECONDS);
  const rounds: Record<Way, Outcome>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const outcomes: Partial<Record<Way, Outcome>> = {};
    // Who is first changes from round to round.
    for (let i = 0; i < WAYS.length; i++) {
      const way = WAYS[(round + i) % WAYS.length]!;
      process.stderr.write(`${round + 1}/${ROUNDS}, beside ${way}\n`);
      outcomes[way] = await measure(server, way, hot, others, keeper);
    }
    rounds.push(outcomes as Record<Way, Outcome>);
  }
  const rows = WAYS.map((way) => {
    const of = (figure: 'p50' | 'p99' | 'p999'): string => median(rounds.map((outcomes) => outcomes[way].hits[figure])).toFixed(0);
    const perSecond = (result: LoadResult | undefined): number => (result === undefined ? 0 : result.operations / result.seconds);
    const ratio = median(rounds.map((outcomes) => outcomes[way].hits.p99 / outcomes.nobody.hits.p99));
    return [
      way,
      median(rounds.map((outcomes) => perSecond(outcomes[way].others))).toFixed(0),
      median(rounds.map((outcomes) => perSecond(outcomes[way].hits))).toFixed(0),
      of('p50'),
      of('p99'),
      ratio.toFixed(2),
      of('p999'),
      `${(median(rounds.map((outcomes) => outcomes[way].readyShare)) * 100).toFixed(0)} %`,
      median(rounds.map((outcomes) => outcomes[way].majorFaults)).toFixed(1),
    ];
  });
  hot.end();
  others.end();
  await server.stop();
  const [{ model } = { model: 'unknown' }] = cpus();
  process.stdout.write(`${cpus().length} × ${model}; -m ${MEMORY_MB}; ${HOT_RATE} hits/s over ${HOT_CONNECTIONS} connections; medians of ${ROUNDS} rounds of ${SECONDS} s\n\n${formatTable(HEAD, rows)}\n`);
});
