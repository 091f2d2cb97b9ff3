import { MEMORY_MB } from './options.ts';
import type { Workload } from './workloads.ts';

/** What an item takes in memory besides its value, at most, in any of the servers. */
const ITEM_OVERHEAD = 200;
const MB = 2 ** 20;
/** Connections that a server must bear beyond those of the load: others are still closing. */
const SPARE_CONNECTIONS = 200;

/** Workloads that share servers, and what those are started with. */
export interface Group {
  readonly workloads: readonly Workload[];
  readonly valueBytes: number;
  readonly items: number;
  /** Most connections, with some to spare. */
  readonly connections: number;
  /** For items in memory, of servers that have them on disk too. */
  readonly memoryMb: number;
  /** The same of servers that have them nowhere else: room for all. */
  readonly wholeMb: number;
}

/** What the command line says about all workloads. */
export interface GroupOptions {
  readonly items: number;
  /** Whether `items` was asked for, so that it counts for workloads with items of their own too. */
  readonly itemsGiven: boolean;
  readonly connections: number;
  /** Megabytes for items in memory, where a workload does not say. */
  readonly memory: number;
}

/** Puts workloads together that want the same items and memory, in their order; a restart is always alone. */
export function groupWorkloads(workloads: readonly Workload[], options: GroupOptions): Group[] {
  const byNeeds = new Map<string, [Workload, ...Workload[]]>();
  for (const workload of workloads) {
    const needs = needsOf(workload, options);
    const members = byNeeds.get(needs);
    if (members === undefined) byNeeds.set(needs, [workload]);
    else members.push(workload);
  }
  return [...byNeeds.values()].map((members) => {
    const [first] = members;
    const items = itemsOf(first, options);
    const neededMb = Math.ceil((items * (first.load.valueBytes + ITEM_OVERHEAD) * 1.5) / MB);
    return {
      workloads: members,
      valueBytes: first.load.valueBytes,
      items,
      connections: Math.max(...members.map((workload) => connectionsOf(workload, options))) + SPARE_CONNECTIONS,
      memoryMb: memoryOf(first, options),
      wholeMb: Math.max(MEMORY_MB, neededMb),
    };
  });
}

function needsOf(workload: Workload, options: GroupOptions): string {
  const { load, memoryMb, isRestart, name } = workload;
  return [load.valueBytes, itemsOf(workload, options), memoryMb, isRestart === true || load.mode === 'trace' ? name : ''].join(' ');
}

/** How many items a workload has. */
export function itemsOf({ items, isAboutItems }: Workload, options: GroupOptions): number {
  if (items === undefined || (options.itemsGiven && isAboutItems !== true)) return options.items;
  return items;
}

/** How many megabytes for items in memory a server has that has them on disk too. */
export function memoryOf({ memoryMb }: Workload, options: GroupOptions): number {
  return memoryMb ?? options.memory;
}

/** How many connections a workload has. */
export function connectionsOf({ connections }: Workload, options: GroupOptions): number {
  return connections ?? options.connections;
}
