import { parseArgs } from 'node:util';
import { workloads, type Workload } from './workloads.ts';

/** A further server, as the command line names it. */
export interface Peer {
  readonly name: string;
  /** For a shell, with `{port}` and `{dir}` to be filled in. */
  readonly command: string;
}

/** What the command line asks for. */
export interface BenchOptions {
  /** Measure parsing and the writing of replies alone, without servers. */
  readonly micro: boolean;
  /** Measure hit rates of eviction alone, without servers. */
  readonly eviction: boolean;
  /** Recorded traffic for it. */
  readonly trace: string | undefined;
  /** Requests of each of its workloads. */
  readonly requests: number;
  readonly workloads: readonly Workload[];
  /** Names of the servers; undefined = all. */
  readonly servers: readonly string[] | undefined;
  readonly peers: readonly Peer[];
  readonly reference: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly items: number;
  readonly seed: number;
  readonly dir: string | undefined;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

/** A command line that cannot be followed; the message is for people. */
export class UsageError extends Error {}

/** The help text. */
export const usage = `Usage: npm run bench -- [options]

Measures tugela-ts beside other servers: each is started on a free port of 127.0.0.1 with its data in a
temporary directory, and all take turns within every round.

  --workloads <a,b>     only these (default all, listed below)
  --servers <a,b>       only these (default all: tugela, memcached, floor, and every --peer)
  --peer <name=command> a further memcached-protocol server; a shell runs the command, {port} and {dir} are
                        filled in; may be repeated
  --reference <name>    the server that ratios refer to (default memcached)
  --micro               parsing and writing of replies alone: no servers; of the other options only --rounds,
                        --seconds, --json and --markdown count
  --eviction            hit rates of ways to evict from disk: no servers; of the other options only --trace,
                        --requests, --items, --seed, --dir, --json and --markdown count
  --trace <file>        recorded traffic for --eviction, in the format of test/trace/trace.ts
  --requests <n>        requests of each workload of --eviction (default 1000000)
  --rounds <n>          rounds per workload; figures are medians over them (default 5; 25 with --micro)
  --seconds <s>         how long a server is measured in a round (default 4; 0.02 with --micro)
  --connections <n>     connections of the load generator (default 50)
  --items <n>           items that are stored (default 100000)
  --seed <n>            seed of keys, values and their order (default 1)
  --dir <dir>           where the temporary directory is made (default the system's)
  --json <file>         write every single measurement there
  --markdown <file>     write the report there as well
  --help                print this

Workloads:
${workloads.map(({ name, title }) => `  ${name.padEnd(22)}${title}`).join('\n')}
`;

/** Reads the command line. Undefined = help is asked for. Throws a UsageError when it makes no sense. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const micro = values.micro === true;
  return {
    micro,
    eviction: values.eviction === true,
    trace: values.trace,
    requests: integer('requests', values.requests, 100_000_000),
    workloads: values.workloads === undefined ? workloads : list(values.workloads).map(findWorkload),
    servers: values.servers === undefined ? undefined : list(values.servers),
    peers: (values.peer ?? []).map(parsePeer),
    reference: values.reference,
    rounds: integer('rounds', values.rounds ?? (micro ? '25' : '5'), 1000),
    seconds: positive('seconds', values.seconds ?? (micro ? '0.02' : '4'), 3600),
    connections: integer('connections', values.connections, 20_000),
    items: integer('items', values.items, 50_000_000),
    seed: integer('seed', values.seed, 2 ** 31 - 1),
    dir: values.dir,
    json: values.json,
    markdown: values.markdown,
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
        reference: { type: 'string', default: 'memcached' },
        micro: { type: 'boolean' },
        eviction: { type: 'boolean' },
        trace: { type: 'string' },
        requests: { type: 'string', default: '1000000' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string', default: '50' },
        items: { type: 'string', default: '100000' },
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
