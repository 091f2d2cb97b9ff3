import { parseArgs } from 'node:util';
import { leftOut, runs, type SuiteRun } from './lists.ts';

/** What the command line asks for. */
export interface SuiteOptions {
  readonly checkout: string;
  readonly runs: readonly SuiteRun[];
  readonly fromDisk: boolean;
  readonly keepLogs: string | undefined;
}

/** A command line that cannot be followed, or a machine on which nothing can be run; the message is for people. */
export class UsageError extends Error {}

/** The help text. */
export const usage = `Usage: npm run memcached-suite -- <checkout> [options]

Runs memcached's own tests against tugela-ts. <checkout> is the source of memcached 1.6.45, a git clone or an unpacked
tarball; it need not be built, and is not written to. Needs perl with its core modules; the runs over TLS also need
IO::Socket::SSL, and stats-conns.t needs root and a network namespace of its own (unshare, ip). Build first: npm run build.

  --only <a.t,b.t>      only these files
  --from-disk           with --disable-ram-tier: every read goes to the disk
  --keep-logs <dir>     what each file and its servers said goes there
  --help                print this

Exit status: 0 = everything passed, 1 = something failed, 2 = nothing could be run.
`;

/** Reads the command line. Undefined = help is asked for. Throws a UsageError when it makes no sense. */
export function parseOptions(args: readonly string[]): SuiteOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const [checkout, ...others] = positionals;
  if (checkout === undefined || others.length > 0) throw new UsageError('name one directory, the source of memcached');
  const only = values.only?.split(',').filter((file) => file !== '');
  for (const file of only ?? []) assertRuns(file);
  return {
    checkout,
    runs: runs.filter(({ file }) => only?.includes(file) ?? true),
    fromDisk: values['from-disk'] === true,
    keepLogs: values['keep-logs'],
  };
}

function assertRuns(file: string): void {
  if (runs.some((run) => run.file === file)) return;
  const reason = leftOut.find(({ files }) => files.includes(file));
  throw new UsageError(reason === undefined ? `${file} is not in the list of files` : `${file} is not run: ${reason.why}`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        'from-disk': { type: 'boolean' },
        'keep-logs': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
