import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { MEMORY_MB, type Peer } from './options.ts';

/** What a server is started with. */
export interface StartContext {
  readonly port: number;
  readonly dir: string;
  readonly valueBytes: number;
  readonly connections: number;
  /** Megabytes for items in memory, of servers that have them on disk too; MEMORY_MB unless told. */
  readonly memoryMb?: number;
  /** The same of servers that have them nowhere else. */
  readonly wholeMb?: number;
}

/** A server that takes part. */
export interface Contestant {
  readonly name: string;
  /** How it is run, for people. */
  readonly about: string;
  /** Whether it answers with the values that were stored. */
  readonly storesValues: boolean;
  /** Whether it chooses its port and prints `listening on HOST:PORT`. */
  readonly announcesPort: boolean;
  /** What it speaks; 'text' (memcached's) unless told. */
  readonly protocol?: 'text' | 'resp';
  /** Whether its items are there after a restart. */
  readonly persists?: boolean;
  /** Whether it knows nothing but get and set. */
  readonly getsAndSetsOnly?: boolean;
  command(context: StartContext): readonly [file: string, ...args: string[]];
  /** Why it cannot take part; undefined = it can. */
  missing(): string | undefined;
}

/** tugela-ts, as built in `root`. */
export function tugelaIn(root: string, name: string, what: string): Contestant {
  return {
    name,
    about: `${what} serve -m ${MEMORY_MB} --expire-every 5`,
    storesValues: true,
    announcesPort: true,
    persists: true,
    command: ({ dir, connections, memoryMb = MEMORY_MB }) => {
      const needs = ['--port', '0', '--file', dir, '--memory', String(memoryMb), '--connections', String(connections)];
      return [process.execPath, join(root, 'dist', 'src', 'cli.js'), 'serve', ...needs, '--expire-every', '5', '--log-level', 'error'];
    },
    missing: () => undefined,
  };
}

/** The directory of this repository. */
export const ROOT: string = join(import.meta.dirname, '..', '..', '..');

const memcached: Contestant = {
  name: 'memcached',
  about: `memcached -U 0 -m ${MEMORY_MB}, 4 threads, nothing on disk`,
  storesValues: true,
  announcesPort: false,
  command: ({ port, connections, wholeMb = MEMORY_MB }) => {
    const needs = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', String(wholeMb), '-c', String(connections)];
    return ['memcached', ...needs, ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : [])];
  },
  missing: () => (isInstalled('memcached', '-V') ? undefined : 'not installed (apt install memcached)'),
};

const redis: Contestant = {
  name: 'redis',
  about: 'redis-server --appendonly yes --appendfsync everysec: all items in memory, every write in a log',
  storesValues: true,
  announcesPort: false,
  protocol: 'resp',
  persists: true,
  command: ({ port, dir, connections }) => {
    const needs = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--maxclients', String(connections)];
    return ['redis-server', ...needs, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--loglevel', 'warning'];
  },
  missing: () => (isInstalled('redis-server', '--version') ? undefined : 'not installed (apt install redis-server)'),
};

const level: Contestant = {
  name: 'level',
  about: 'LevelDB asked at every get, a batch per turn for sets, no memory of its own: what the store alone costs in Node',
  storesValues: true,
  announcesPort: true,
  persists: true,
  getsAndSetsOnly: true,
  command: ({ dir }) => [process.execPath, join(import.meta.dirname, 'level-server.js'), dir],
  missing: () => undefined,
};

const floor: Contestant = {
  name: 'floor',
  about: "canned replies from Node's net module, nothing stored: what sockets cost in Node",
  storesValues: false,
  announcesPort: true,
  getsAndSetsOnly: true,
  command: ({ valueBytes }) => [process.execPath, join(import.meta.dirname, 'floor-server.js'), String(valueBytes)],
  missing: () => undefined,
};

function isInstalled(program: string, versionOption: string): boolean {
  return spawnSync(program, [versionOption]).error === undefined;
}

function fromPeer({ name, command }: Peer): Contestant {
  return {
    name,
    about: command,
    storesValues: true,
    announcesPort: false,
    persists: command.includes('{dir}'),
    command: ({ port, dir }) => ['sh', '-c', command.replaceAll('{port}', String(port)).replaceAll('{dir}', dir)],
    missing: () => undefined,
  };
}

/** All servers that can take part, in the order of the report. */
export function allContestants(peers: readonly Peer[]): Contestant[] {
  return [tugelaIn(ROOT, 'tugela', 'tugela-ts'), memcached, redis, level, floor, ...peers.map(fromPeer)];
}
