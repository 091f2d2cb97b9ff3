import { setTimeout as sleep } from 'node:timers/promises';
import type { LineClient } from '../../../daemon/line-client.ts';
import { isEnd, parseState } from '../../../daemon/replies.ts';
import { lagSeconds } from '../../../daemon/stats.ts';
import { Histogram } from '../load/histogram.ts';
import { NAME_BYTES } from '../load/items.ts';
import type { LoadSpec } from '../load/load-spec.ts';
import { LoadGenerator } from '../load-generator.ts';
import { fill } from '../measurement.ts';
import { machineCpuSeconds, processCpuSeconds } from '../process-usage.ts';
import { Server } from '../server.ts';
import { median } from '../statistics.ts';
import { formatTable } from '../table.ts';
import { connectTo, tugelaAs } from '../tugela.ts';
import { fillLoad, workloads } from '../workloads.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';

const KEY_PREFIX = 'item:';
const LONGEST_TTL = 60;
const SPARE_CONNECTIONS = 50;
const SAMPLE_AT_MS = 500;
const NS_PER_US = 1e3;
const US_PER_S = 1e6;
const MB = 1e6;
/** Rows of the table of the course of a load. */
const COURSE_ROWS = 12;

/** What one second showed. */
interface Sample {
  readonly operations: number;
  /** Microseconds. */
  readonly p99: number;
  /** Seconds by which the oldest entry of the index is overdue. */
  readonly backlog: number;
  readonly indexEntries: number;
  /** Bytes of keys and values that were stored and are not over: those of the load, not of the server's counters. */
  readonly liveBytes: number;
  readonly diskBytes: number;
}

/** One load over its time. */
interface Phase {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly latencies: Histogram;
  readonly cpuPerOp: number;
  readonly daemonCpuPerOp: number;
  readonly generatorCores: number;
  readonly otherCores: number;
}

/** "Steady state, run and shown": writes at full rate with and without times to live. */
export const steadyState: Part = {
  name: 'steady-state',
  title: 'Writes at full rate that live 1 to 60 s, beside the same without a time to live',
  options: {
    seconds: { preset: '600', about: 'how long the load with times to live runs' },
    without: { preset: '600', about: 'the same without, in two halves before and after' },
    items: { preset: '500000', about: 'keys, drawn at random' },
    value: { preset: '1000', about: 'bytes of a value' },
    connections: { preset: '50', about: 'connections, one set in flight on each' },
    memory: { preset: '64', about: '-m of the server' },
    backlog: { preset: '5', about: 'seconds that the oldest index entry may be overdue' },
    disk: { preset: '2.5', about: 'bytes on disk at most, in times the live data' },
    latency: { preset: '1.5', about: 'p99 at most, in times that without times to live' },
  },
  run,
};

async function run(context: PartContext): Promise<PartResult> {
  const { given } = context;
  const without = numberOf(given, 'without') / 2;
  const before = await runPhase(context, 'without, before', [0, 0], without);
  const expiring = await runPhase(context, '1 to 60 s', [1, LONGEST_TTL], numberOf(given, 'seconds'));
  const after = await runPhase(context, 'without, after', [0, 0], without);
  return report(given, expiring, [before, after]);
}

async function runPhase({ given, directory, keeper, log }: PartContext, name: string, timeToLive: readonly [number, number], seconds: number): Promise<Phase> {
  const [items, valueBytes, connections] = [numberOf(given, 'items'), numberOf(given, 'value'), numberOf(given, 'connections')];
  const contestant = tugelaAs(timeToLive[1] === 0 ? 'without' : 'expiring', ['--with-expire', '-m', String(numberOf(given, 'memory'))]);
  const server = await Server.start(contestant, { directory, valueBytes, connections: connections + SPARE_CONNECTIONS }, keeper);
  const base = workloads.find((workload) => workload.name === 'set-1k')!.load;
  const spec: LoadSpec = { ...base, keyPrefix: KEY_PREFIX, valueBytes, timeToLive, port: server.port, connections, items, seed: 1, checkValues: true };
  if (timeToLive[1] === 0) {
    log(`${name}: storing ${items} items`);
    await fill(server, { ...spec, ...fillLoad(base), keyPrefix: KEY_PREFIX, valueBytes }, keeper);
  }
  const generator = await LoadGenerator.start(spec, keeper);
  const client = await connectTo(server);
  try {
    log(`${name}: warming up for ${LONGEST_TTL} s`);
    for (let second = 0; second < LONGEST_TTL; second += 1) await generator.run(1);
    const latencies = new Histogram();
    const samples: Sample[] = [];
    const [cpuBefore, leaderBefore, machineBefore, startedMs] = [server.usage().cpuSeconds, processCpuSeconds(server.pid), machineCpuSeconds(), performance.now()];
    let generatorSeconds = 0;
    for (let second = 0; second < seconds; second += 1) {
      const [{ result, details }, seen] = await Promise.all([generator.runInDetail(1), look(client, server)]);
      if (result.wrong > 0) throw new Error(`${result.wrong} wrong answers, the first: ${result.firstWrong ?? ''}`);
      latencies.add(details.latencies);
      generatorSeconds += result.cpuSeconds;
      const itemsAlive = timeToLive[1] === 0 ? items : details.itemsAlive;
      samples.push({ ...seen, operations: result.operations, p99: result.p99, liveBytes: itemsAlive * (KEY_PREFIX.length + NAME_BYTES + valueBytes) });
      if ((second + 1) % 30 === 0) log(`${name}: ${describe(samples.slice(-30), second + 1)}`);
    }
    const took = (performance.now() - startedMs) / 1000;
    const [cpu, leader, machine] = [server.usage().cpuSeconds - cpuBefore, processCpuSeconds(server.pid) - leaderBefore, machineCpuSeconds() - machineBefore];
    const operations = samples.reduce((sum, sample) => sum + sample.operations, 0);
    return {
      name,
      samples,
      latencies,
      cpuPerOp: (leader * US_PER_S) / operations,
      daemonCpuPerOp: ((cpu - leader) * US_PER_S) / operations,
      generatorCores: generatorSeconds / took,
      otherCores: Math.max(0, machine - cpu - generatorSeconds) / took,
    };
  } finally {
    client.close();
    generator.end();
    await server.stop();
  }
}

/** Looks at the server in the middle of a second of load. */
async function look(client: LineClient, server: Server): Promise<Pick<Sample, 'backlog' | 'indexEntries' | 'diskBytes'>> {
  await sleep(SAMPLE_AT_MS);
  const state = parseState(await client.request('expire state', isEnd));
  return { backlog: lagSeconds(state), indexEntries: state.entries, diskBytes: server.diskBytes() };
}

function describe(samples: readonly Sample[], second: number): string {
  const { opsPerSecond, p99, backlog, disk, live } = summary(samples);
  return `${second} s: ${opsPerSecond.toFixed(0)} sets/s, p99 ${p99.toFixed(0)} µs, backlog ${backlog} s, live ${(live / MB).toFixed(0)} MB, disk ${disk.toFixed(2)} times that`;
}

interface Summary {
  readonly opsPerSecond: number;
  readonly p99: number;
  readonly backlog: number;
  readonly live: number;
  /** Bytes on disk at most, in times the live data of that moment. */
  readonly disk: number;
  readonly entries: number;
}

function summary(samples: readonly Sample[]): Summary {
  return {
    opsPerSecond: samples.reduce((sum, { operations }) => sum + operations, 0) / samples.length,
    p99: median(samples.map(({ p99 }) => p99)),
    backlog: Math.max(...samples.map(({ backlog }) => backlog)),
    live: median(samples.map(({ liveBytes }) => liveBytes)),
    disk: Math.max(...samples.map(({ diskBytes, liveBytes }) => diskBytes / liveBytes)),
    entries: median(samples.map(({ indexEntries }) => indexEntries)),
  };
}

function report(given: PartContext['given'], expiring: Phase, plain: readonly Phase[]): PartResult {
  const rows = [plain[0]!, expiring, plain[1]!].map((phase) => {
    const { opsPerSecond, backlog, live, disk, entries } = summary(phase.samples);
    const percentile = (share: number): string => (phase.latencies.percentile(share) / NS_PER_US).toFixed(0);
    return [
      phase.name,
      opsPerSecond.toFixed(0),
      percentile(0.5),
      percentile(0.99),
      percentile(0.999),
      phase.cpuPerOp.toFixed(1),
      phase.daemonCpuPerOp.toFixed(1),
      String(backlog),
      entries.toFixed(0),
      (live / MB).toFixed(0),
      disk.toFixed(2),
      phase.generatorCores.toFixed(2),
      phase.otherCores.toFixed(2),
    ];
  });
  const size = Math.ceil(expiring.samples.length / COURSE_ROWS);
  const course = Array.from({ length: Math.ceil(expiring.samples.length / size) }, (_, index) => {
    const { opsPerSecond, p99, backlog, live, disk, entries } = summary(expiring.samples.slice(index * size, (index + 1) * size));
    return [`${index * size} s`, opsPerSecond.toFixed(0), p99.toFixed(0), String(backlog), entries.toFixed(0), (live / MB).toFixed(0), disk.toFixed(2)];
  });
  const both = new Histogram();
  for (const { latencies } of plain) both.add(latencies.counts());
  const all = summary(expiring.samples);
  return {
    tables: [
      'CPU in µs per set, of the server and of its daemon; backlog in s, at most; index entries and live MB, medians; disk in times the live data, at most.',
      formatTable(['time to live', 'sets/s', 'p50 µs', 'p99 µs', 'p99.9 µs', 'server CPU', 'daemon CPU', 'backlog', 'index entries', 'live MB', 'disk', 'generator', 'others'], rows),
      'The course of the load that expires, by the time since all its keys had been in use for a minute:',
      formatTable(['from', 'sets/s', 'p99 µs', 'backlog', 'index entries', 'live MB', 'disk'], course),
    ],
    bounds: [
      { what: 'seconds that the oldest index entry is overdue', measured: all.backlog, most: numberOf(given, 'backlog') },
      { what: 'disk, in times the live data', measured: all.disk, most: numberOf(given, 'disk') },
      { what: 'p99, in times that without times to live', measured: expiring.latencies.percentile(0.99) / both.percentile(0.99), most: numberOf(given, 'latency') },
    ],
  };
}
