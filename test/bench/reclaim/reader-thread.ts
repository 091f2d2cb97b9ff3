import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Histogram } from '../load/histogram.ts';
import { Random } from '../load/random.ts';
import { type DataSet, keyOf, keptId } from './data-set.ts';
import type { Portion } from './phases.ts';
import { Pipe } from './pipe.ts';

/** What the thread is started with. */
export interface ReaderOrder {
  readonly port: number;
  readonly data: DataSet;
  /** Connections, and milliseconds that each rests between two gets. */
  readonly connections: number;
  readonly restMs: number;
}

/* Gets of items that stay, in a thread of its own, so that what the load does beside them is not measured. A message asks for a report. */
const { port, data, connections, restMs } = workerData as ReaderOrder;
/** Since the last report. */
let latencies = new Histogram();
let misses = 0;

async function read(seed: number): Promise<void> {
  const pipe = await Pipe.connect(port);
  const random = new Random(seed);
  for (;;) {
    const key = keyOf(data, keptId(data, random.unit()));
    const began = process.hrtime.bigint();
    const found = await pipe.ask(`mg ${key} s\r\n`, 1);
    latencies.record(Number(process.hrtime.bigint() - began));
    if (!found.startsWith('HD')) misses++;
    if (restMs > 0) await sleep(restMs);
  }
}

parentPort?.on('message', () => {
  parentPort?.postMessage({ latencies: latencies.counts(), misses } satisfies Portion, []);
  latencies = new Histogram();
  misses = 0;
});

await Promise.all(Array.from({ length: connections }, (_, i) => read(i + 1)));
