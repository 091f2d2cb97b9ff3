import { join } from 'node:path';
import { DEFAULT_LIMITS, LineClient } from '../../daemon/line-client.ts';
import type { Contestant } from './contestants.ts';
import type { Server } from './server.ts';

/** The program, as it is built. */
export const PROGRAM: string = join(import.meta.dirname, '..', '..', 'src', 'cli.js');

/** `tugela-ts serve` with some options, under a name of its own. */
export function tugelaAs(name: string, options: readonly string[]): Contestant {
  return {
    name,
    about: `tugela-ts serve ${options.join(' ')}`,
    storesValues: true,
    announcesPort: true,
    command: ({ dir, connections }) => [process.execPath, PROGRAM, 'serve', '--port', '0', '--file', dir, '--connections', String(connections), '--log-level', 'error', ...options],
    missing: () => undefined,
  };
}

/** The directory of the store of a contestant that is to be started in `directory`. */
export function storeDirectory(directory: string, { name }: Contestant): string {
  return join(directory, name, 'data');
}

/** A connection for commands and their replies. */
export function connectTo(server: Server): Promise<LineClient> {
  return LineClient.connect({ host: '127.0.0.1', port: server.port }, DEFAULT_LIMITS, new AbortController().signal);
}
