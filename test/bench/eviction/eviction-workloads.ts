import { readRecorded } from './recorded.ts';
import { type Workload, type ZipfChoice, zipfWorkload } from './workload.ts';

/** Which traffic is made up, and whether there is any recorded. */
export interface TrafficChoice {
  readonly items: number;
  /** Requests of each workload that is made up. */
  readonly requests: number;
  readonly seed: number;
  /** Bytes of a value, or their median; up to 256 values lie in LevelDB's rows. */
  readonly valueBytes: number;
  /** Recorded traffic, if there is any. */
  readonly trace: string | undefined;
}

/** What caches are given to answer, each made when it is its turn. */
export function evictionWorkloads({ items, requests, seed, valueBytes, trace }: TrafficChoice): (() => Workload)[] {
  const zipf = (name: string, choice: Partial<ZipfChoice>) => (): Workload =>
    zipfWorkload(name, { exponent: 0.99, items, requests, seed, valueBytes, spread: 0, ...choice });
  return [
    zipf('Zipf 0.8', { exponent: 0.8 }),
    zipf('Zipf 0.99', {}),
    zipf('Zipf 1.2', { exponent: 1.2 }),
    zipf('0.99, sizes differ', { spread: 1 }),
    zipf('0.99, ¼ asked once', { once: 0.25 }),
    zipf('0.99, scans', { scanEvery: Math.ceil(requests / 10) }),
    zipf('0.99, drifts', { driftEvery: Math.ceil(requests / 10) }),
    ...(trace === undefined ? [] : [() => readRecorded(trace)]),
  ];
}
