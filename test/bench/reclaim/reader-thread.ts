import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Histogram } from '../load/histogram.ts';
import { Random } from '../load/random.ts';
import { type DataSet, keyOf, keptId } from './data-set.ts';
import { Pipe } from './pipe.ts';

/** What the thread is started with. */
export interface ReaderOrder {
  readonly port: number;
  readonly data: DataSet;
  /** Connections, and milliseconds that each rests between two gets. */
  readonly connections: number;
  readonly restMs: number;
}

/** Times of gets since the last report, in milliseconds. */
export interface ReaderReport {
  readonly gets: number;
  readonly misses: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The same since the last report that ended a phase. */
  readonly phaseP99: number;
}

/** Asks for a report. */
export interface ReportOrder {
  readonly endsPhase: boolean;
}

/* Gets of items that stay, in a thread of its own, so that what the load does beside them is not measured. A message asks for a report. */
const { port, data, connections, restMs } = workerData as ReaderOrder;
/** Since the last report, and since the last one that ended a phase. */
let portion = new Histogram();
let phase = new Histogram();
let misses = 0;

async function read(seed: number): Promise<void> {
  const pipe = await Pipe.connect(port);
  const random = new Random(seed);
  for (;;) {
    const key = keyOf(data, keptId(data, random.unit()));
    const began = process.hrtime.bigint();
    const found = await pipe.ask(`mg ${key} s\r\n`, 1);
    const tookNs = Number(process.hrtime.bigint() - began);
    portion.record(tookNs);
    phase.record(tookNs);
    if (!found.startsWith('HD')) misses++;
    if (restMs > 0) await sleep(restMs);
  }
}

parentPort?.on('message', ({ endsPhase }: ReportOrder) => {
  const report: ReaderReport = {
    gets: portion.total,
    misses,
    p50: portion.percentile(0.5) / 1e6,
    p99: portion.percentile(0.99) / 1e6,
    max: portion.percentile(1) / 1e6,
    phaseP99: phase.percentile(0.99) / 1e6,
  };
  portion = new Histogram();
  if (endsPhase) phase = new Histogram();
  misses = 0;
  parentPort?.postMessage(report, []);
});

await Promise.all(Array.from({ length: connections }, (_, i) => read(i + 1)));
