import { parseArgs } from 'node:util';
import { scaleWorkloads, traceWorkload, workloads, type Workload } from './workloads.ts';

/** Items of a `--scale` that `--all` brings with it. */
const ALL_SCALES: readonly number[] = [1e4, 1e5, 1e6, 1e7];
/** Memory for items that every server gets, in MB, unless somebody says otherwise: enough for all of most workloads. */
export const MEMORY_MB = 1024;
const MOST_ITEMS = 50_000_000;
const MOST_MEMORY_MB = 1_000_000;

/** A further server, as the command line names it. */
export interface Peer {
  readonly name: string;
  /** For a shell, with `{port}` and `{dir}` to be filled in. */
  readonly command: string;
}

/** What the command line asks for. */
export interface BenchOptions {
  /** Measure pure layers alone, without servers. */
  readonly micro: boolean;
  /** Measure hit rates of eviction alone, without servers. */
  readonly eviction: boolean;
  /** The same of the RAM tier. */
  readonly ram: boolean;
  /** Requests of each of their workloads. */
  readonly requests: number;
  /** Bytes of their values. */
  readonly valueBytes: number;
  readonly workloads: readonly Workload[];
  /** Names of the servers; undefined = all. */
  readonly servers: readonly string[] | undefined;
  readonly peers: readonly Peer[];
  /** A revision of this repository that takes part. */
  readonly compare: string | undefined;
  readonly reference: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly items: number;
  /** Whether `items` was asked for, so that it counts for workloads with items of their own too. */
  readonly itemsGiven: boolean;
  /** Megabytes for items in memory, of servers that have them on disk too, where a workload does not say. */
  readonly memory: number;
  /** Requests per second of open loads; undefined = half of what a server bears. */
  readonly rate: number | undefined;
  /** Recorded traffic. */
  readonly trace: string | undefined;
  readonly seed: number;
  readonly dir: string | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  /** Marks in docs/benchmarks.md between which the report goes. */
  readonly figures: string | undefined;
}

/** A command line that cannot be followed; the message is for people. */
export class UsageError extends Error {}

/** Reads the command line. Undefined = help is asked for. Throws a UsageError when it makes no sense. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const micro = values.micro === true;
  return {
    micro,
    eviction: values.eviction === true,
    ram: values.ram === true,
    requests: integer('requests', values.requests, 100_000_000),
    valueBytes: integer('value', values.value, 1_000_000),
    workloads: chooseWorkloads(values),
    servers: chooseServers(values),
    peers: (values.peer ?? []).map(parsePeer),
    compare: values.compare,
    reference: values.reference ?? (values.compare === undefined ? 'memcached' : revisionName(values.compare)),
    rounds: integer('rounds', values.rounds ?? (micro ? '25' : '3'), 1000),
    seconds: positive('seconds', values.seconds ?? (micro ? '0.02' : '2'), 3600),
    connections: integer('connections', values.connections, 20_000),
    items: integer('items', values.items ?? '100000', MOST_ITEMS),
    itemsGiven: values.items !== undefined,
    memory: values.memory === undefined ? MEMORY_MB : integer('memory', values.memory, MOST_MEMORY_MB),
    rate: values.rate === undefined ? undefined : positive('rate', values.rate, 10_000_000),
    trace: values.trace,
    seed: integer('seed', values.seed, 2 ** 31 - 1),
    dir: values.dir,
    json: values.json,
    markdown: values.markdown,
    figures: values.figures,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        workloads: { type: 'string' },
        servers: { type: 'string' },
        peer: { type: 'string', multiple: true },
        reference: { type: 'string' },
        compare: { type: 'string' },
        all: { type: 'boolean' },
        scale: { type: 'string' },
        trace: { type: 'string' },
        rate: { type: 'string' },
        figures: { type: 'string' },
        micro: { type: 'boolean' },
        eviction: { type: 'boolean' },
        ram: { type: 'boolean' },
        requests: { type: 'string', default: '1000000' },
        value: { type: 'string', default: '1000' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string', default: '50' },
        items: { type: 'string' },
        memory: { type: 'string' },
        seed: { type: 'string', default: '1' },
        dir: { type: 'string' },
        json: { type: 'string' },
        markdown: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

type Values = ReturnType<typeof parse>['values'];

/** Those that are named, with --scale and --trace; without a name those two alone, or all that are not heavy. */
function chooseWorkloads({ workloads: named, all = false, scale, trace }: Values): Workload[] {
  const counts = scale === undefined ? [] : list(scale).map((count) => integer('scale', count, MOST_ITEMS));
  const extra = [...scaleWorkloads(all && scale === undefined ? ALL_SCALES : counts), ...(trace === undefined ? [] : [traceWorkload(trace)])];
  if (named !== undefined) return [...list(named).map(findWorkload), ...extra];
  if (all) return [...workloads, ...extra];
  return extra.length > 0 ? extra : workloads.filter(({ isHeavy }) => isHeavy !== true);
}

/** Those that are named; a comparison of revisions is by default between these two. */
function chooseServers({ servers, compare, reference }: Values): string[] | undefined {
  if (servers !== undefined) return list(servers);
  if (compare === undefined) return undefined;
  return ['tugela', revisionName(compare), ...(reference === undefined ? [] : [reference])];
}

/** The name of the contestant that another revision is. */
export function revisionName(revision: string): string {
  return `tugela@${revision.replaceAll(/[^\w.-]/g, '-')}`;
}

function list(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

function findWorkload(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  if (found === undefined) throw new UsageError(`no workload is called ${name}`);
  return found;
}

function parsePeer(text: string): Peer {
  const [, name, command] = /^([\w.-]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || command === undefined) throw new UsageError(`--peer takes NAME=COMMAND, not ${text}`);
  if (!command.includes('{port}')) throw new UsageError(`the command of --peer ${name} has no {port}`);
  return { name, command };
}

function positive(name: string, text: string, limit: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= limit)) throw new UsageError(`--${name} takes a number above 0, up to ${limit}, not ${text}`);
  return value;
}

function integer(name: string, text: string, limit: number): number {
  const value = positive(name, text, limit);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} takes a whole number, not ${text}`);
  return value;
}
