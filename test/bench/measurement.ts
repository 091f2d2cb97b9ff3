import type { LoadResult, LoadSpec } from './load/load-spec.ts';
import { LoadGenerator } from './load-generator.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import { clockTicks, machineCpuSeconds } from './process-usage.ts';
import type { Server } from './server.ts';

/** Code that runs for the first time is slow in any server that compiles as it goes, and in the generator. */
const WARM_UP_SHARE = 0.25;
const MOST_WARM_UP_SECONDS = 1;
const SETTLE_LIMIT_MS = 10_000;
const FILL_LIMIT_SECONDS = 600;

/** One server in one round of one workload. */
export interface Measurement {
  readonly workload: string;
  readonly server: string;
  readonly round: number;
  readonly load: LoadResult;
  readonly opsPerSecond: number;
  /** Microseconds of server CPU per operation, with what it did afterwards because of them. */
  readonly cpuPerOp: number;
  /** The same up to the last answer. */
  readonly cpuPerOpUntilAnswered: number;
  /** Clock ticks that cpuPerOp was read from: under 50 it is coarse. */
  readonly ticks: number;
  readonly rssBytes: number;
  /** Cores that the generator kept busy; near 1 it was the bottleneck. */
  readonly generatorCores: number;
  /** Cores that neither the server nor the generator kept busy, but something else. */
  readonly otherCores: number;
}

/** Stores all items in a server. */
export async function fill(server: Server, spec: LoadSpec, keeper: ProcessKeeper): Promise<LoadResult> {
  const generator = await LoadGenerator.start(spec, keeper);
  try {
    const result = await generator.run(0, FILL_LIMIT_SECONDS);
    await server.settle(SETTLE_LIMIT_MS);
    return result;
  } finally {
    generator.end();
  }
}

/** Measures a server for `seconds`, after a warm-up. */
export async function measure(
  server: Server,
  place: { readonly workload: string; readonly round: number },
  spec: LoadSpec,
  seconds: number,
  keeper: ProcessKeeper,
): Promise<Measurement> {
  const generator = await LoadGenerator.start(spec, keeper);
  try {
    await generator.run(Math.min(MOST_WARM_UP_SECONDS, seconds * WARM_UP_SHARE));
    await server.settle(SETTLE_LIMIT_MS);
    const before = server.usage();
    const machineBefore = machineCpuSeconds();
    const load = await generator.run(seconds);
    if (load.operations === 0) throw new Error('nothing was answered');
    const answered = server.usage();
    const machine = machineCpuSeconds() - machineBefore;
    await server.settle(SETTLE_LIMIT_MS);
    const cpuSeconds = server.usage().cpuSeconds - before.cpuSeconds;
    const cpuSecondsAnswered = answered.cpuSeconds - before.cpuSeconds;
    return {
      ...place,
      server: server.contestant.name,
      load,
      opsPerSecond: load.operations / load.seconds,
      cpuPerOp: (cpuSeconds * 1e6) / load.operations,
      cpuPerOpUntilAnswered: (cpuSecondsAnswered * 1e6) / load.operations,
      ticks: Math.round(cpuSeconds * clockTicks()),
      rssBytes: answered.rssBytes,
      generatorCores: load.cpuSeconds / load.seconds,
      otherCores: Math.max(0, machine - cpuSecondsAnswered - load.cpuSeconds) / load.seconds,
    };
  } finally {
    generator.end();
  }
}
