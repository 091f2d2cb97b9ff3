import type { LoadSpec } from './load/load-spec.ts';

/** What a workload says about the load; the rest comes from the command line and the server. */
export type WorkloadLoad = Omit<LoadSpec, 'port' | 'protocol' | 'connections' | 'items' | 'seed' | 'checkValues'>;

/** A kind of use that is measured. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly load: WorkloadLoad;
  /** Whether the items must be there before it begins. */
  readonly needsItems: boolean;
  /** Takes long, much memory or much disk, or tells little that others do not: runs only when it is named, or all are. */
  readonly isHeavy?: boolean;
  /** Items, instead of those that all have; the command line has the last word, unless they are what it is about. */
  readonly items?: number;
  readonly isAboutItems?: boolean;
  /** Connections, instead of those that all have. */
  readonly connections?: number;
  /** `-m` of servers that have their items on disk too. */
  readonly memoryMb?: number;
  /** How many times as long as others it is measured. */
  readonly stretch?: number;
  /** An open load, at half of what the server bears in the same round, or at the rate that the command line says. */
  readonly isPaced?: boolean;
  /** The data are kept out of the page cache. */
  readonly isCold?: boolean;
  /** Needs more than get and set. */
  readonly needsAllCommands?: boolean;
  /** What is measured is how soon a server is back, not a load. */
  readonly isRestart?: boolean;
}

const SMALL = 100;
const MEDIUM = 1000;
const LARGE = 100_000;
/** 1.5 GB of values of 1 KB, beside 64 MB of memory. */
const BIG = { items: 1_500_000, memoryMb: 64, isHeavy: true };

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

function workload(name: string, title: string, load: Partial<WorkloadLoad>, more: Partial<Workload> = {}): Workload {
  return { name, title, load: { ...basic, ...load }, needsItems: load.timeToLive === undefined, ...more };
}

/** Every workload, in the order in which they run. Those that can share their servers do. */
export const workloads: readonly Workload[] = [
  workload('get-100', 'get of 100 B', { valueBytes: SMALL }),
  workload('get-100-p16', 'get of 100 B, 16 in flight', { valueBytes: SMALL, inFlight: 16 }, { isHeavy: true }),
  workload('set-100', 'set of 100 B', { valueBytes: SMALL, getShare: 0 }),
  workload('set-100-p16', 'set of 100 B, 16 in flight', { valueBytes: SMALL, getShare: 0, inFlight: 16 }, { isHeavy: true }),
  workload('get-1k', 'get of 1 KB', {}),
  workload('get-1k-c1', 'get of 1 KB, one connection', {}, { connections: 1 }),
  workload('get-1k-c1000', 'get of 1 KB, 1000 connections', {}, { connections: 1000 }),
  workload('get-1k-p16', 'get of 1 KB, 16 in flight', { inFlight: 16 }),
  workload('multiget-16', 'get of 16 keys at once, 1 KB, per key', { keysPerGet: 16 }),
  workload('visits', 'connect, 12 gets of 1 KB one by one, quit; per get', { mode: 'visits', visitGets: 12 }),
  workload('mixed', '90 % get, 10 % set, Zipf 0.99, 1 KB', { getShare: 0.9, zipfExponent: 0.99 }),
  workload('mixed-open', '90 % get, 10 % set, Zipf 0.99, 1 KB, at a fixed rate', { getShare: 0.9, zipfExponent: 0.99 }, { isPaced: true }),
  workload('set-1k', 'set of 1 KB', { getShare: 0 }),
  workload('set-1k-c1', 'set of 1 KB, one connection', { getShare: 0 }, { connections: 1 }),
  workload('set-1k-p16', 'set of 1 KB, 16 in flight', { getShare: 0, inFlight: 16 }),
  workload('set-ttl', 'set of 1 KB that lives 1 to 60 s', { getShare: 0, timeToLive: [1, 60], keyPrefix: 'ttl:' }),
  workload('get-100k', 'get of 100 KB', { valueBytes: LARGE }, { items: 2000 }),
  workload('set-100k', 'set of 100 KB', { valueBytes: LARGE, getShare: 0 }, { items: 2000 }),
  workload('set-1k-long', 'set of 1 KB, 15 times as long', { getShare: 0 }, { stretch: 15, isHeavy: true }),
  workload('big-get', 'get of 1 KB out of 1.5 GB, in the page cache', {}, BIG),
  workload('big-mixed', '90 % get, 10 % set, Zipf 0.99, out of 1.5 GB', { getShare: 0.9, zipfExponent: 0.99 }, BIG),
  workload('big-set', 'set of 1 KB into 1.5 GB', { getShare: 0 }, BIG),
  workload('big-get-cold', 'get of 1 KB out of 1.5 GB, not in the page cache', {}, { ...BIG, isCold: true }),
  workload('restart', 'from the start to the first hit, with 1 KB items', {}, { items: 1_000_000, isHeavy: true, isRestart: true }),
];

/** Gets and sets of 100 B with so many items stored: how the cost grows. */
export function scaleWorkloads(counts: readonly number[]): Workload[] {
  return counts.flatMap((items) => {
    const more = { items, isAboutItems: true, isHeavy: true };
    return [
      workload(`scale-get-${items}`, `get of 100 B, one of ${items}`, { valueBytes: SMALL }, more),
      workload(`scale-set-${items}`, `set of 100 B, one of ${items}`, { valueBytes: SMALL, getShare: 0 }, more),
    ];
  });
}

/** The commands of a trace. */
export function traceWorkload(traceFile: string): Workload {
  const more = { needsItems: false, needsAllCommands: true, connections: 16, items: 0, isAboutItems: true };
  return workload('trace', 'recorded traffic, all of it in each round, 16 of its connections at once; per key', { mode: 'trace', traceFile }, more);
}

/** How items are put into a server before it is measured. */
export function fillLoad(load: WorkloadLoad): WorkloadLoad {
  return { ...basic, mode: 'fill', inFlight: 8, getShare: 0, keyPrefix: load.keyPrefix, valueBytes: load.valueBytes };
}
