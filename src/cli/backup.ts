import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { asksForAccess } from '../client/access-options.ts';
import { addressOf, addServerOptions } from '../client/server-options.ts';
import { systemCodeOf, TugelaError } from '../errors.ts';
import { storePrefixOption } from './store-prefix.ts';

interface BackupOptions {
  readonly prefix: string;
  readonly gzip?: true;
  readonly force?: true;
}

interface RestoreOptions {
  readonly merge?: true;
  readonly prefix: string;
  readonly json?: true;
}

/** Signals at which what is written of a backup is removed. */
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** The command `tugela-ts backup`: an online dump of a running server, in a file that is complete or not there. */
export function backupCommand(): Command {
  const command = new Command('backup')
    .description('back up a running server, as of one moment, into a file')
    .argument('<file>', 'appears when it is complete; - for stdout; compressed if it ends in .gz')
    .allowExcessArguments(false)
    .addOption(storePrefixOption())
    .addOption(new Option('-z, --gzip', 'compress, whatever the name'))
    .addOption(new Option('-f, --force', 'replace the file if there is one'));
  return addServerOptions(command).action(async (file: string, { prefix, gzip, force }: BackupOptions) => {
    const address = addressOf(command);
    const path = file === '-' ? undefined : file;
    const output = { path, gzip: gzip === true || (path?.endsWith('.gz') ?? false) };
    if (path === undefined && process.stdout.isTTY) throw new TugelaError('TUGELA_USAGE', 'stdout is a terminal: name a file');
    if (path !== undefined && force !== true) await refuseExisting(path);
    const { backUp } = await import('../tools/commands.ts');
    const { partialOf } = await import('../tools/dump-output.ts');
    if (path !== undefined) removeOnSignal(partialOf(path));
    await backUp(address, { prefix, output });
  });
}

/** The command `tugela-ts restore`: a backup into a new directory or a running server. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('put a backup into a new directory, or into a running server')
    .usage('[options] <file> <dir>\n       tugela-ts restore [options] <file> --host <host>')
    .argument('<file>', 'the backup; - for stdin')
    .argument('[dir]', 'of a stopped server; made if missing')
    .allowExcessArguments(false)
    .addOption(new Option('--merge', 'into a directory that is not empty; items of the backup replace those of the same key'))
    .addOption(storePrefixOption())
    .addOption(new Option('--json', 'one JSON object instead of lines'));
  return addServerOptions(command).action(async (file: string, dir: string | undefined, { merge, prefix, json }: RestoreOptions) => {
    const isServer = ['host', 'port', 'socket'].some((name) => command.getOptionValueSource(name) === 'cli');
    if (isServer === (dir !== undefined)) throw new TugelaError('TUGELA_USAGE', 'name a directory, or a server with --host, --port or --socket');
    if (!isServer && asksForAccess(command)) throw new TugelaError('TUGELA_USAGE', 'a password and TLS are for a running server: name it with --host, --port or --socket');
    if (isServer && merge === true) throw new TugelaError('TUGELA_USAGE', '--merge is for a directory: a running server always keeps what it has');
    const { load } = await import('../tools/commands.ts');
    await load(dir ?? addressOf(command), { file: file === '-' ? undefined : file, merge: merge === true, prefix, json: json === true });
  });
}

async function refuseExisting(path: string): Promise<void> {
  try {
    // A pipe or a device is there to be written to.
    if (!(await stat(path)).isFile()) return;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return;
    throw new TugelaError('TUGELA_STORE_FAILED', `Cannot look at ${path}: ${systemCodeOf(error) ?? ''}`, { cause: error });
  }
  throw new TugelaError('TUGELA_USAGE', `${path} is there already; --force replaces it when the backup is complete`);
}

/** Removes what is written so far when the process is told to end, and ends as it would have. */
function removeOnSignal(path: string): void {
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      rmSync(path, { force: true });
      process.kill(process.pid, signal);
    });
  }
}
