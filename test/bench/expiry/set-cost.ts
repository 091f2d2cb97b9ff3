import { setTimeout as sleep } from 'node:timers/promises';
import type { LineClient } from '../../../daemon/line-client.ts';
import { isEnd, parseState, parseStats } from '../../../daemon/replies.ts';
import { NAME_BYTES } from '../load/items.ts';
import type { LoadSpec } from '../load/load-spec.ts';
import { LoadGenerator } from '../load-generator.ts';
import { fill } from '../measurement.ts';
import { machineCpuSeconds, processCpuSeconds } from '../process-usage.ts';
import { Server } from '../server.ts';
import { median, medianRatio, roundOrder } from '../statistics.ts';
import { formatTable } from '../table.ts';
import { connectTo, tugelaAs } from '../tugela.ts';
import { fillLoad, workloads } from '../workloads.ts';
import { addWritten, NOTHING_WRITTEN, type Written, writtenBetween, writtenIn, writtenTable } from '../written.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';

const SETTLE_LIMIT_MS = 15_000;
const WARM_UP_SECONDS = 1;
const SPARE_CONNECTIONS = 50;
const US_PER_S = 1e6;
const POLL_MS = 200;
/** Keys enough that hardly any is drawn twice. */
const NEW_KEYS = 20_000_000;
const HOUR = 3600;

/** A load on a server of its own. */
interface Variant {
  readonly name: string;
  readonly keys: 'overwritten' | 'new';
  readonly timeToLive: readonly [number, number];
  /** Measured until all that was stored has been swept, the sweeps included. */
  readonly untilSwept: boolean;
  /** The variant without a time to live. */
  readonly against: string;
}

const VARIANTS: readonly Variant[] = [
  { name: 'overwritten', keys: 'overwritten', timeToLive: [0, 0], untilSwept: false, against: 'overwritten' },
  { name: 'overwritten-hour', keys: 'overwritten', timeToLive: [HOUR, HOUR], untilSwept: false, against: 'overwritten' },
  { name: 'overwritten-swept', keys: 'overwritten', timeToLive: [1, 10], untilSwept: true, against: 'overwritten' },
  { name: 'new', keys: 'new', timeToLive: [0, 0], untilSwept: false, against: 'new' },
  { name: 'new-hour', keys: 'new', timeToLive: [HOUR, HOUR], untilSwept: false, against: 'new' },
  { name: 'new-swept', keys: 'new', timeToLive: [1, 10], untilSwept: true, against: 'new' },
];

/** "Sets with a TTL at most 10 % more server CPU per op than sets without." */
export const setCost: Part = {
  name: 'set-cost',
  title: 'What a time to live adds to the cost of a set',
  options: {
    rounds: { preset: '5', about: 'rounds; figures are medians over them' },
    seconds: { preset: '5', about: 'how long each load runs in a round' },
    items: { preset: '100000', about: 'keys of the loads that overwrite' },
    value: { preset: '1000', about: 'bytes of a value' },
    connections: { preset: '50', about: 'connections, one set in flight on each' },
    ratio: { preset: '1.1', about: 'CPU at most of a set with a time to live, in times one without' },
  },
  run,
};

function describe({ keys, timeToLive: [from, to] }: Variant): string {
  const life = to === 0 ? 'for ever' : from === to ? '1 hour' : `${from} to ${to} s, until all is swept`;
  return `${keys} keys, ${life}`;
}

/** A variant in a round. */
interface Measured {
  /** Microseconds of CPU per set: the server's, and with that of its daemon. */
  readonly server: number;
  readonly both: number;
  readonly operations: number;
  /** What the server wrote for them, until it was at rest. */
  readonly written: Written;
  readonly opsPerSecond: number;
  readonly otherCores: number;
}

async function run({ given, directory, keeper, log }: PartContext): Promise<PartResult> {
  const [rounds, seconds, valueBytes, connections] = ['rounds', 'seconds', 'value', 'connections'].map((name) => numberOf(given, name)) as [number, number, number, number];
  const base = workloads.find((workload) => workload.name === 'set-1k')!.load;
  const running: { variant: Variant; server: Server; spec: LoadSpec; measured: Measured[] }[] = [];
  for (const variant of VARIANTS) {
    const contestant = tugelaAs(variant.name, ['--with-expire', '-m', '1024']);
    const server = await Server.start(contestant, { directory, valueBytes, connections: connections + SPARE_CONNECTIONS }, keeper);
    const items = variant.keys === 'new' ? NEW_KEYS : numberOf(given, 'items');
    const spec: LoadSpec = { ...base, valueBytes, timeToLive: variant.timeToLive, port: server.port, connections, items, seed: 1, checkValues: true };
    // With its own time to live, or the first rounds would pay for moving what lives for ever; but nothing is to be due before it.
    const timeToLive = variant.untilSwept ? ([0, 0] as const) : variant.timeToLive;
    if (variant.keys === 'overwritten') await fill(server, { ...spec, ...fillLoad(base), valueBytes, timeToLive }, keeper);
    server.pause();
    running.push({ variant, server, spec, measured: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { variant, server, spec, measured } of roundOrder(running, round)) {
      server.resume();
      // New keys in each round, for which the source must not begin anew.
      const generator = await LoadGenerator.start({ ...spec, seed: spec.seed + round }, keeper);
      try {
        measured[round] = await measure(server, generator, seconds, variant.untilSwept);
      } finally {
        generator.end();
        server.pause();
      }
      log(`${round + 1}/${rounds} ${variant.name}: ${measured[round]!.server.toFixed(1)} µs CPU/set`);
    }
  }
  for (const { server } of running) await server.stop();
  const figures = (name: string, figure: (measured: Measured) => number): number[] => running.find(({ variant }) => variant.name === name)!.measured.map(figure);
  const ratio = (variant: Variant, figure: (measured: Measured) => number): number => medianRatio(figures(variant.name, figure), figures(variant.against, figure)) ?? Number.NaN;
  const rows = VARIANTS.map((variant) => [
    describe(variant),
    median(figures(variant.name, ({ server }) => server)).toFixed(1),
    ratio(variant, ({ server }) => server).toFixed(3),
    median(figures(variant.name, ({ both }) => both)).toFixed(1),
    ratio(variant, ({ both }) => both).toFixed(3),
    median(figures(variant.name, ({ opsPerSecond }) => opsPerSecond)).toFixed(0),
    median(figures(variant.name, ({ otherCores }) => otherCores)).toFixed(2),
  ]);
  const itemBytes = base.keyPrefix.length + NAME_BYTES + valueBytes;
  const storing = running.map(({ variant, measured }) => ({
    name: describe(variant),
    stored: itemBytes * measured.reduce((sum, { operations }) => sum + operations, 0),
    written: measured.map((one) => one.written).reduce(addWritten, NOTHING_WRITTEN),
  }));
  return {
    tables: [
      `Medians of ${rounds} interleaved rounds of ${seconds} s; ratios are medians of those within a round, to the same keys for ever. CPU in µs per set.`,
      formatTable(['set of', 'server CPU', '×', 'with the daemon', '×', 'sets/s', 'others'], rows),
      'Bytes written by the server for each byte of key and value stored, in all rounds, with what followed until it was at rest.',
      writtenTable('set of', storing),
    ],
    bounds: VARIANTS.filter(({ timeToLive, untilSwept }) => timeToLive[1] > 0 && !untilSwept).map((variant) => ({
      what: `server CPU of a set of ${variant.keys} keys with a time to live, in times one without`,
      measured: ratio(variant, ({ server }) => server),
      most: numberOf(given, 'ratio'),
    })),
  };
}

async function measure(server: Server, generator: LoadGenerator, seconds: number, untilSwept: boolean): Promise<Measured> {
  if (untilSwept) await swept(server);
  await generator.run(WARM_UP_SECONDS);
  if (untilSwept) await swept(server);
  await server.settle(SETTLE_LIMIT_MS);
  const writtenBefore = await written(server);
  const [before, leaderBefore, machineBefore] = [server.usage().cpuSeconds, processCpuSeconds(server.pid), machineCpuSeconds()];
  const load = await generator.run(seconds);
  if (load.wrong > 0) throw new Error(`${load.wrong} wrong answers, the first: ${load.firstWrong ?? ''}`);
  const machine = machineCpuSeconds() - machineBefore - (server.usage().cpuSeconds - before) - load.cpuSeconds;
  if (untilSwept) await swept(server);
  await server.settle(SETTLE_LIMIT_MS);
  const [both, leader] = [server.usage().cpuSeconds - before, processCpuSeconds(server.pid) - leaderBefore];
  return {
    server: (leader * US_PER_S) / load.operations,
    both: (both * US_PER_S) / load.operations,
    operations: load.operations,
    written: writtenBetween(writtenBefore, await written(server)),
    opsPerSecond: load.operations / load.seconds,
    otherCores: Math.max(0, machine) / load.seconds,
  };
}

/** Resolves when the index is empty. */
async function swept(server: Server): Promise<void> {
  await withClient(server, async (client) => {
    while (parseState(await client.request('expire state', isEnd)).entries > 0) await sleep(POLL_MS);
  });
}

async function written(server: Server): Promise<Written> {
  return await withClient(server, async (client) => writtenIn(parseStats(await client.request('stats storage', isEnd))));
}

async function withClient<T>(server: Server, ask: (client: LineClient) => Promise<T>): Promise<T> {
  const client = await connectTo(server);
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}
