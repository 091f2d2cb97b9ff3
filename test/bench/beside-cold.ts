/**
 * `npm run bench:beside-cold`: how long hits in RAM take while others read what is in no memory at all. One load asks for a few items
 * again and again, at a fixed rate; beside it, 50 connections ask for any of 1.5 GB, at a fixed rate or as fast as they are answered,
 * now from the page cache and now with the files kept out of it, or nobody does. To keep them out costs others something too, so that
 * is measured alone as well. All of it keeps the machine's cores and disk busy for everybody, so the same hits are asked of a second
 * server at the same time, which has nothing else to do: what these take is the machine's share. Needs Linux and python3. The figures
 * are in docs/benchmarks.md.
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
/** Hits, both kinds of others, and whoever fills it. */
const CONNECTIONS: number = HOT_CONNECTIONS + 3 * OTHER_CONNECTIONS;
const ROUNDS = 5;
const SECONDS = 5;
/** Until each of the few items has been asked for ten times: whoever is not in RAM yet is no hit. */
const HOT_SECONDS = (10 * HOT_ITEMS) / HOT_RATE;
const SETTLE_LIMIT_MS = 10_000;

/** Gets a second of those who do not ask as fast as they can. */
const OTHERS_RATE = 7000;

interface Way {
  readonly name: string;
  /** How the 50 others ask; undefined = not at all. */
  readonly others?: 'paced' | 'steady';
  /** Where the files of the store are: in the page cache as far as they happen to be, read into it before, or kept out of it. */
  readonly files: 'any' | 'cached' | 'kept out';
}

const NOBODY: Way = { name: 'nobody', files: 'any' };
const WAYS: readonly Way[] = [
  NOBODY,
  { name: 'nobody, files kept out of memory', files: 'kept out' },
  { name: `${OTHERS_RATE} gets/s from the page cache`, files: 'cached', others: 'paced' },
  { name: `${OTHERS_RATE} gets/s from the disk`, files: 'kept out', others: 'paced' },
  { name: 'all gets from the page cache', files: 'cached', others: 'steady' },
  { name: 'all gets from the disk', files: 'kept out', others: 'steady' },
];

/** A server, and the load of hits that it is asked for. */
interface Asked {
  readonly server: Server;
  readonly hot: LoadGenerator;
}

interface Outcome {
  readonly hits: LoadResult;
  /** The hits of the other server, at the same time. */
  readonly elsewhere: LoadResult;
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

async function measure(here: Asked, elsewhere: Asked, way: Way, others: Record<'paced' | 'steady', LoadGenerator>, keeper: ProcessKeeper): Promise<Outcome> {
  const { server } = here;
  const endCold = way.files === 'kept out' ? await keepCold(server.dataDirectory, server.pid, keeper) : undefined;
  if (way.files === 'cached') await readAll(server.dataDirectory);
  try {
    const loads = [here.hot, elsewhere.hot, ...(way.others === undefined ? [] : [others[way.others]])];
    const run = (seconds: number): Promise<LoadResult[]> => Promise.all(loads.map((generator) => generator.run(seconds)));
    await run(1);
    const before = mainThreadWaits(server.pid);
    const startedAt = performance.now();
    const results = await run(SECONDS);
    const seconds = (performance.now() - startedAt) / 1000;
    const after = mainThreadWaits(server.pid);
    for (const result of results) if (result.wrong > 0) throw new Error(`wrong answers: ${result.firstWrong}`);
    return {
      hits: results[0]!,
      elsewhere: results[1]!,
      others: results[2],
      readyShare: (after.readySeconds - before.readySeconds) / seconds,
      majorFaults: (after.majorFaults - before.majorFaults) / seconds,
    };
  } finally {
    endCold?.();
    await server.settle(SETTLE_LIMIT_MS);
  }
}

const HEAD = [
  'beside',
  'their gets/s',
  'hits/s',
  'p50 µs',
  'p99 µs',
  '× nobody',
  'p99.9 µs',
  'elsewhere p50',
  'elsewhere p99',
  '× elsewhere',
  'thread waits for a core',
  'for a page, /s',
];

/** A line of the table; the ratios are of one round each. */
function row(way: Way, rounds: readonly ReadonlyMap<Way, Outcome>[]): string[] {
  const of = (figure: (outcome: Outcome, nobody: Outcome) => number): number => median(rounds.map((outcomes) => figure(outcomes.get(way)!, outcomes.get(NOBODY)!)));
  const perSecond = (result: LoadResult | undefined): number => (result === undefined ? 0 : result.operations / result.seconds);
  return [
    way.name,
    of(({ others }) => perSecond(others)).toFixed(0),
    of(({ hits }) => perSecond(hits)).toFixed(0),
    of(({ hits }) => hits.p50).toFixed(0),
    of(({ hits }) => hits.p99).toFixed(0),
    of(({ hits }, nobody) => hits.p99 / nobody.hits.p99).toFixed(2),
    of(({ hits }) => hits.p999).toFixed(0),
    of(({ elsewhere }) => elsewhere.p50).toFixed(0),
    of(({ elsewhere }) => elsewhere.p99).toFixed(0),
    of(({ hits, elsewhere }) => hits.p99 / elsewhere.p99).toFixed(2),
    `${(of(({ readyShare }) => readyShare) * 100).toFixed(0)} %`,
    of(({ majorFaults }) => majorFaults).toFixed(1),
  ];
}

const missing = coldFilesMissing();
if (missing !== undefined) throw new Error(missing);
await runKept(tmpdir(), 'tugela-beside-', async ({ directory, keeper }) => {
  const { load } = workloads.find(({ name }) => name === 'big-get-cold')!;
  const common = { ...load, keyPrefix: 'item:', checkValues: true };
  const start = async (name: string, items: number): Promise<Asked> => {
    const server = await Server.start(tugelaAs(name, ['--expire-every', '5', '-m', String(MEMORY_MB)]), { directory, valueBytes: 1000, connections: CONNECTIONS }, keeper);
    process.stderr.write(`${name}: storing ${items} items\n`);
    await fill(server, { ...common, port: server.port, connections: OTHER_CONNECTIONS, items, seed: 1, ...fillLoad(load) }, keeper);
    const hot = await LoadGenerator.start({ ...common, port: server.port, connections: HOT_CONNECTIONS, items: HOT_ITEMS, seed: 2, mode: 'paced', rate: HOT_RATE }, keeper);
    return { server, hot };
  };
  const here = await start('tugela', ITEMS);
  const elsewhere = await start('elsewhere', HOT_ITEMS);
  const spec: LoadSpec = { ...common, port: here.server.port, connections: OTHER_CONNECTIONS, items: ITEMS, seed: 1 };
  const others = { paced: await LoadGenerator.start({ ...spec, mode: 'paced', rate: OTHERS_RATE }, keeper), steady: await LoadGenerator.start(spec, keeper) };
  await Promise.all([here.hot.run(HOT_SECONDS), elsewhere.hot.run(HOT_SECONDS)]);
  const rounds: Map<Way, Outcome>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const outcomes = new Map<Way, Outcome>();
    // Who is first changes from round to round.
    for (let i = 0; i < WAYS.length; i++) {
      const way = WAYS[(round + i) % WAYS.length]!;
      process.stderr.write(`${round + 1}/${ROUNDS}, beside ${way.name}\n`);
      outcomes.set(way, await measure(here, elsewhere, way, others, keeper));
    }
    rounds.push(outcomes);
  }
  for (const generator of [here.hot, elsewhere.hot, others.paced, others.steady]) generator.end();
  await here.server.stop();
  await elsewhere.server.stop();
  const [{ model } = { model: 'unknown' }] = cpus();
  const table = formatTable(HEAD, WAYS.map((way) => row(way, rounds)));
  process.stdout.write(`${cpus().length} × ${model}; -m ${MEMORY_MB}; ${HOT_RATE} hits/s over ${HOT_CONNECTIONS} connections; medians of ${ROUNDS} rounds of ${SECONDS} s\n\n${table}\n`);
});
