import { keepCold } from './cold-files.ts';
import type { WriteCounter } from './disk-usage.ts';
import type { LoadResult, LoadSpec } from './load/load-spec.ts';
import { LoadGenerator } from './load-generator.ts';
import type { ProcessKeeper } from './process-keeper.ts';
import type { IoCounters } from './process-io.ts';
import { clockTicks, machineCpuSeconds } from './process-usage.ts';
import type { Server } from './server.ts';

/**
 * Code that runs for the first time is slow in any server that compiles as it goes, and in the generator; and memory is slow that
 * rested while the others had their turns: sets of 100 KB cost 436 µs of CPU after half a second, and 352 after one, with five servers.
 */
const WARM_UP_SHARE = 0.5;
const MOST_WARM_UP_SECONDS = 2;
const SETTLE_LIMIT_MS = 10_000;
const FILL_LIMIT_SECONDS = 600;
/** Beyond the time that a load is to take: a trace takes what it takes. */
const TRACE_LIMIT_SECONDS = 600;
/** A server slower than this when it is filled takes no part. */
const FEWEST_FILLED_PER_SECOND = 2000;
/** How long it is measured what a server bears, before an open load. */
const MOST_CAPACITY_SECONDS = 2;
/** Of what it bears, an open load is so much. */
const CAPACITY_SHARE = 0.5;

/** One server in one round of one workload. */
export interface Measurement {
  readonly workload: string;
  readonly server: string;
  readonly round: number;
  readonly load: LoadResult;
  /** Requests per second of an open load. */
  readonly rate: number | undefined;
  readonly opsPerSecond: number;
  /** Microseconds of server CPU per operation, with what it did afterwards because of them. */
  readonly cpuPerOp: number;
  /** The same up to the last answer. */
  readonly cpuPerOpUntilAnswered: number;
  /** Clock ticks that cpuPerOp was read from: under 50 it is coarse. */
  readonly ticks: number;
  readonly rssBytes: number;
  /** Bytes that the server's data take on disk. */
  readonly diskBytes: number;
  /** Bytes per operation that went to the disk, with what was written afterwards because of them; undefined = not told. */
  readonly writtenPerOp: number | undefined;
  /** Bytes per operation that came from the disk, not from the page cache; undefined = not told. */
  readonly readPerOp: number | undefined;
  /** Cores that the generator kept busy; near 1 it was the bottleneck. */
  readonly generatorCores: number;
  /** Cores that neither the server nor the generator kept busy, but something else. */
  readonly otherCores: number;
}

/** How a server is measured. */
export interface MeasureContext {
  readonly workload: string;
  readonly round: number;
  readonly seconds: number;
  /** An open load: at how many requests per second, or at half of what the server bears. */
  readonly pace: number | 'half' | undefined;
  /** Whether the server's files are kept out of the page cache. */
  readonly isCold: boolean;
  readonly writeCounter: WriteCounter;
  readonly keeper: ProcessKeeper;
}

/** Stores all items in a server. */
export async function fill(server: Server, spec: LoadSpec, keeper: ProcessKeeper): Promise<LoadResult> {
  const generator = await LoadGenerator.start(spec, keeper);
  try {
    const result = await generator.run(0, Math.max(FILL_LIMIT_SECONDS, spec.items / FEWEST_FILLED_PER_SECOND));
    await server.settle(SETTLE_LIMIT_MS);
    return result;
  } finally {
    generator.end();
  }
}

/** Measures a server for `seconds`, after a warm-up. */
export async function measure(server: Server, spec: LoadSpec, context: MeasureContext): Promise<Measurement> {
  const endCold = context.isCold ? await keepCold(server.dataDirectory, server.pid, context.keeper) : undefined;
  try {
    if (context.pace === undefined) return await measureLoad(server, spec, context);
    const rate = context.pace === 'half' ? (await findCapacity(server, spec, context)) * CAPACITY_SHARE : context.pace;
    return await measureLoad(server, { ...spec, mode: 'paced', rate }, context);
  } finally {
    endCold?.();
  }
}

/** Requests per second that a server answers when each is followed by the next. */
async function findCapacity(server: Server, spec: LoadSpec, { seconds, keeper }: MeasureContext): Promise<number> {
  const generator = await LoadGenerator.start(spec, keeper);
  try {
    await generator.run(Math.min(MOST_WARM_UP_SECONDS, seconds * WARM_UP_SHARE));
    const { operations, seconds: took } = await generator.run(Math.min(MOST_CAPACITY_SECONDS, seconds));
    await server.settle(SETTLE_LIMIT_MS);
    if (operations === 0) throw new Error('nothing was answered');
    return operations / took;
  } finally {
    generator.end();
  }
}

async function measureLoad(server: Server, spec: LoadSpec, { workload, round, seconds, writeCounter, keeper }: MeasureContext): Promise<Measurement> {
  const generator = await LoadGenerator.start(spec, keeper);
  const graceSeconds = spec.mode === 'trace' ? TRACE_LIMIT_SECONDS : undefined;
  try {
    await generator.run(Math.min(MOST_WARM_UP_SECONDS, seconds * WARM_UP_SHARE), graceSeconds);
    await server.settle(SETTLE_LIMIT_MS);
    const ioBefore = server.io();
    const before = server.usage();
    const machineBefore = machineCpuSeconds();
    const load = await generator.run(seconds, graceSeconds);
    if (load.operations === 0) throw new Error('nothing was answered');
    const answered = server.usage();
    const machine = machineCpuSeconds() - machineBefore;
    await server.settle(SETTLE_LIMIT_MS);
    const cpuSeconds = server.usage().cpuSeconds - before.cpuSeconds;
    const ioAfter = server.io();
    const cpuSecondsAnswered = answered.cpuSeconds - before.cpuSeconds;
    return {
      workload,
      round,
      server: server.contestant.name,
      load,
      rate: spec.rate,
      opsPerSecond: load.operations / load.seconds,
      cpuPerOp: (cpuSeconds * 1e6) / load.operations,
      cpuPerOpUntilAnswered: (cpuSecondsAnswered * 1e6) / load.operations,
      ticks: Math.round(cpuSeconds * clockTicks()),
      rssBytes: answered.rssBytes,
      diskBytes: server.diskBytes(),
      writtenPerOp: perOp(writtenBetween(writeCounter, ioBefore, ioAfter), load),
      readPerOp: perOp(ioBefore === undefined || ioAfter === undefined ? undefined : ioAfter.readBytes - ioBefore.readBytes, load),
      generatorCores: load.cpuSeconds / load.seconds,
      otherCores: Math.max(0, machine - cpuSecondsAnswered - load.cpuSeconds) / load.seconds,
    };
  } finally {
    generator.end();
  }
}

function writtenBetween(counter: WriteCounter, before: IoCounters | undefined, after: IoCounters | undefined): number | undefined {
  if (counter === 'none' || before === undefined || after === undefined) return undefined;
  return counter === 'write_bytes' ? after.writeBytes - before.writeBytes : after.writtenChars - before.writtenChars;
}

function perOp(bytes: number | undefined, { operations }: LoadResult): number | undefined {
  return bytes === undefined ? undefined : bytes / operations;
}
