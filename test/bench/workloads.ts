import type { LoadSpec } from './load/load-spec.ts';

/** What a workload says about the load; the rest comes from the command line and the server. */
export type WorkloadLoad = Omit<LoadSpec, 'port' | 'connections' | 'items' | 'seed' | 'checkValues'>;

/** A kind of use that is measured. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly load: WorkloadLoad;
  /** Whether the items must be there before it begins. */
  readonly needsItems: boolean;
}

const SMALL = 100;
const MEDIUM = 1000;

const basic: WorkloadLoad = {
  mode: 'steady',
  inFlight: 1,
  getShare: 1,
  keysPerGet: 1,
  visitGets: 0,
  keyPrefix: 'item:',
  zipfExponent: 0,
  valueBytes: MEDIUM,
  timeToLive: [0, 0],
};

function workload(name: string, title: string, load: Partial<WorkloadLoad>): Workload {
  return { name, title, load: { ...basic, ...load }, needsItems: load.timeToLive === undefined };
}

/** Every workload, in the order in which they run. Those of one size of value stand together and share their servers. */
export const workloads: readonly Workload[] = [
  workload('get-100', 'get of 100 B', { valueBytes: SMALL }),
  workload('get-100-p16', 'get of 100 B, 16 in flight', { valueBytes: SMALL, inFlight: 16 }),
  workload('set-100', 'set of 100 B', { valueBytes: SMALL, getShare: 0 }),
  workload('set-100-p16', 'set of 100 B, 16 in flight', { valueBytes: SMALL, getShare: 0, inFlight: 16 }),
  workload('get-1k', 'get of 1 KB', {}),
  workload('get-1k-p16', 'get of 1 KB, 16 in flight', { inFlight: 16 }),
  workload('multiget-16', 'get of 16 keys at once, 1 KB, per key', { keysPerGet: 16 }),
  workload('visits', 'connect, 12 gets of 1 KB one by one, quit; per get', { mode: 'visits', visitGets: 12 }),
  workload('mixed', '90 % get, 10 % set, Zipf 0.99, 1 KB', { getShare: 0.9, zipfExponent: 0.99 }),
  workload('set-1k', 'set of 1 KB', { getShare: 0 }),
  workload('set-1k-p16', 'set of 1 KB, 16 in flight', { getShare: 0, inFlight: 16 }),
  workload('set-ttl', 'set of 1 KB that lives 1 to 60 s', { getShare: 0, timeToLive: [1, 60], keyPrefix: 'ttl:' }),
];

/** How items are put into a server before it is measured. */
export function fillLoad(load: WorkloadLoad): WorkloadLoad {
  return { ...basic, mode: 'fill', inFlight: 8, getShare: 0, keyPrefix: load.keyPrefix, valueBytes: load.valueBytes };
}
