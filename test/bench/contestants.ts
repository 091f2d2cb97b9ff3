import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Peer } from './options.ts';

/** Memory for items that every server gets, in MB: enough for all of them by default. */
export const MEMORY_MB = 1024;

/** What a server is started with. */
export interface StartContext {
  readonly port: number;
  readonly dir: string;
  readonly valueBytes: number;
  readonly connections: number;
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
  command(context: StartContext): readonly [file: string, ...args: string[]];
  /** Why it cannot take part; undefined = it can. */
  missing(): string | undefined;
}

const tugela: Contestant = {
  name: 'tugela',
  about: `tugela-ts serve -m ${MEMORY_MB} --expire-every 5`,
  storesValues: true,
  announcesPort: true,
  command: ({ dir, connections }) => {
    const program = join(import.meta.dirname, '..', '..', 'src', 'cli.js');
    const needs = ['--port', '0', '--file', dir, '--memory', String(MEMORY_MB), '--connections', String(connections)];
    return [process.execPath, program, 'serve', ...needs, '--expire-every', '5', '--log-level', 'error'];
  },
  missing: () => undefined,
};

const memcached: Contestant = {
  name: 'memcached',
  about: `memcached -U 0 -m ${MEMORY_MB}, 4 threads, nothing on disk`,
  storesValues: true,
  announcesPort: false,
  command: ({ port, connections }) => {
    const needs = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', String(MEMORY_MB), '-c', String(connections)];
    return ['memcached', ...needs, ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : [])];
  },
  missing: () => (spawnSync('memcached', ['-V']).error === undefined ? undefined : 'not installed (apt install memcached)'),
};

const floor: Contestant = {
  name: 'floor',
  about: "canned replies from Node's net module, nothing stored: what sockets cost in Node",
  storesValues: false,
  announcesPort: true,
  command: ({ valueBytes }) => [process.execPath, join(import.meta.dirname, 'floor-server.js'), String(valueBytes)],
  missing: () => undefined,
};

function fromPeer({ name, command }: Peer): Contestant {
  return {
    name,
    about: command,
    storesValues: true,
    announcesPort: false,
    command: ({ port, dir }) => ['sh', '-c', command.replaceAll('{port}', String(port)).replaceAll('{dir}', dir)],
    missing: () => undefined,
  };
}

/** All servers that can take part, in the order of the report. */
export function allContestants(peers: readonly Peer[]): Contestant[] {
  return [tugela, memcached, floor, ...peers.map(fromPeer)];
}
