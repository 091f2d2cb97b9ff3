import { setTimeout as sleep } from 'node:timers/promises';
import type { LineClient } from '../../../daemon/line-client.ts';
import { isEnd, parseState, parseStats } from '../../../daemon/replies.ts';
import { lagSeconds } from '../../../daemon/stats.ts';
import { Histogram } from '../load/histogram.ts';
import { NAME_BYTES } from '../load/items.ts';
import type { LoadSpec } from '../load/load-spec.ts';
import { LoadGenerator } from '../load-generator.ts';
import { fill } from '../measurement.ts';
import { machineCpuSeconds, processCpuSeconds } from '../process-usage.ts';
import { Server } from '../server.ts';
import { connectTo, tugelaAs } from '../tugela.ts';
import { fillLoad, workloads } from '../workloads.ts';
import { type Written, writtenBetween, writtenIn } from '../written.ts';
import { numberOf, type Part, type PartContext, type PartResult } from './part.ts';
import { describe, percentile, reportSteadyState, type Sample, type Stretch } from './steady-report.ts';

const KEY_PREFIX = 'item:';
const LONGEST_TTL = 60;
const SPARE_CONNECTIONS = 50;
/** Of a server that stood still, before it is measured again. */
const SETTLING_SECONDS = 5;
const SAMPLE_AT_MS = 500;

/** "Steady state, run and shown": writes at full rate with and without times to live. */
export const steadyState: Part = {
  name: 'steady-state',
  title: 'Writes at full rate that live 1 to 60 s, beside the same without a time to live',
  options: {
    rounds: { preset: '6', about: 'rounds of either load; the ratio of their p99 is the median over them' },
    round: { preset: '45', about: 'seconds of either load in a round' },
    seconds: { preset: '600', about: 'how long the load with times to live runs in the last round' },
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

/**
 * The speed of the machine drifts within minutes, so only what runs next to each other is compared. The server of the
 * load that lives for ever stands still while it is not its turn. That of the other cannot (what came due meanwhile
 * would be overdue): it is a new one in each round, and the last one goes on for as long as asked.
 */
async function run(context: PartContext): Promise<PartResult> {
  const { given, log } = context;
  const [rounds, round, seconds] = [numberOf(given, 'rounds'), numberOf(given, 'round'), numberOf(given, 'seconds')];
  const plain: Stretch[] = [];
  const expiring: Stretch[] = [];
  const unlimited = await Subject.start(context, 'for ever', [0, 0]);
  try {
    await unlimited.warmUp(LONGEST_TTL);
    for (let index = 0; index < rounds; index += 1) {
      const isPlainFirst = index % 2 === 0;
      const measurePlain = async (): Promise<void> => {
        unlimited.resume();
        await unlimited.warmUp(SETTLING_SECONDS);
        plain.push(await unlimited.measure(round));
        unlimited.pause();
      };
      unlimited.pause();
      if (isPlainFirst) await measurePlain();
      const limited = await Subject.start(context, '1 to 60 s', [1, LONGEST_TTL]);
      try {
        await limited.warmUp(LONGEST_TTL);
        expiring.push(await limited.measure(round));
        if (index === rounds - 1) expiring.push(await limited.measure(Math.max(0, seconds - round)));
      } finally {
        await limited.stop();
      }
      if (!isPlainFirst) await measurePlain();
      log(`round ${index + 1}/${rounds}: p99 ${percentile(expiring[index]!, 0.99)} µs, without ${percentile(plain[index]!, 0.99)}`);
    }
  } finally {
    unlimited.resume();
    await unlimited.stop();
  }
  return reportSteadyState(given, expiring, plain);
}

/** A server, its load and who looks at it. */
class Subject {
  readonly #name: string;
  readonly #log: PartContext['log'];
  readonly #server: Server;
  readonly #generator: LoadGenerator;
  readonly #client: LineClient;
  readonly #spec: LoadSpec;

  private constructor(name: string, log: PartContext['log'], server: Server, generator: LoadGenerator, client: LineClient, spec: LoadSpec) {
    this.#name = name;
    this.#log = log;
    this.#server = server;
    this.#generator = generator;
    this.#client = client;
    this.#spec = spec;
  }

  static async start({ given, directory, keeper, log }: PartContext, name: string, timeToLive: readonly [number, number]): Promise<Subject> {
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
    return new Subject(name, log, server, generator, await connectTo(server), spec);
  }

  async warmUp(seconds: number): Promise<void> {
    this.#log(`${this.#name}: warming up for ${seconds} s`);
    for (let second = 0; second < seconds; second += 1) await this.#generator.run(1);
  }

  async measure(seconds: number): Promise<Stretch> {
    const { items, valueBytes, timeToLive } = this.#spec;
    const itemBytes = KEY_PREFIX.length + NAME_BYTES + valueBytes;
    const writtenBefore = await this.#written();
    const latencies = new Histogram();
    const samples: Sample[] = [];
    const [cpuBefore, leaderBefore, machineBefore, startedMs] = [this.#server.usage().cpuSeconds, processCpuSeconds(this.#server.pid), machineCpuSeconds(), performance.now()];
    let generator = 0;
    let stored = 0;
    for (let second = 0; second < seconds; second += 1) {
      const [{ result, details }, seen] = await Promise.all([this.#generator.runInDetail(1), this.#look()]);
      if (result.wrong > 0) throw new Error(`${result.wrong} wrong answers, the first: ${result.firstWrong ?? ''}`);
      latencies.add(details.latencies);
      generator += result.cpuSeconds;
      const itemsAlive = timeToLive[1] === 0 ? items : details.itemsAlive;
      samples.push({ ...seen, operations: result.operations, p99: result.p99, liveBytes: itemsAlive * itemBytes });
      stored += result.operations * itemBytes;
      if ((second + 1) % 30 === 0) this.#log(`${this.#name}: ${describe(samples.slice(-30), second + 1)}`);
    }
    const [both, server, machine] = [this.#server.usage().cpuSeconds - cpuBefore, processCpuSeconds(this.#server.pid) - leaderBefore, machineCpuSeconds() - machineBefore];
    const written = writtenBetween(writtenBefore, await this.#written());
    return { samples, latencies, stored, written, cpu: { server, daemon: Math.max(0, both - server), generator, others: Math.max(0, machine - both - generator) }, seconds: (performance.now() - startedMs) / 1000 };
  }

  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#generator.end();
    await this.#server.stop();
  }

  async #written(): Promise<Written> {
    return writtenIn(parseStats(await this.#client.request('stats storage', isEnd)));
  }

  /** Looks at the server in the middle of a second of load. */
  async #look(): Promise<Pick<Sample, 'backlog' | 'indexEntries' | 'diskBytes'>> {
    await sleep(SAMPLE_AT_MS);
    const state = parseState(await this.#client.request('expire state', isEnd));
    return { backlog: lagSeconds(state), indexEntries: state.entries, diskBytes: this.#server.diskBytes() };
  }
}
