import { Command, InvalidArgumentError, Option } from 'commander';
import { readAccess } from '../../daemon/access-files.ts';
import type { Access, Address } from '../../daemon/address.ts';
import { runExpire, type ExpireConfig, type Mode, type Source } from '../../daemon/run-expire.ts';
import type { SweepTarget } from '../../daemon/target.ts';
import { accessOf, addAccessOptions, asksForAccess } from '../client/access-options.ts';
import { parser } from '../client/parser.ts';
import { oneOf, socketPath, text, wholeNumber } from '../config/value-type.ts';
import { createLogger } from '../log.ts';
import { KEY_MAX_LENGTH } from '../protocol/limits.ts';
import { PARENT_PIPE_VARIABLE } from './expire-child.ts';
import { protocolVersion } from '../version.ts';

const USAGE_EXIT_CODE = 2;

/** Longest interval: a week. */
const MAX_INTERVAL_SECONDS = 604_800;

/** Entries per round trip at most: one reply then stays within the 16 MB that a connection accepts. */
const MAX_BATCH = 10_000;

/** A hundred years. */
const MAX_DAYS = 36_500;

/** Words that the options were given as, after parsing. */
interface ExpireOptions {
  readonly host: string;
  readonly port: number;
  readonly socket?: string;
  readonly file?: string;
  readonly interval: number;
  readonly batch: number;
  readonly maxRate: number;
  readonly once?: true;
  readonly wait: number;
  readonly json?: true;
  readonly olderThan?: number;
  readonly prefix?: Buffer;
  readonly dryRun?: true;
  readonly print?: true;
  readonly statsPort: number;
  readonly stats: boolean;
  readonly verbose?: true;
  readonly logLevel: string;
  readonly logPretty?: true;
}

/**
 * The command `tugela-ts expire`: the expiry daemon, and single sweeps. Its action rejects with what went
 * wrong; the program around it says so and sets the exit code.
 */
export function expireCommand(): Command {
  const command = new Command('expire')
    .description('delete expired items from a running server, or from the directory of a stopped one')
    .allowExcessArguments(false);
  for (const option of options()) command.addOption(option);
  addAccessOptions(command);
  return command.action(async () => {
    const given = command.opts<ExpireOptions>();
    await start(expireConfig(command), given);
  });
}

async function start(config: ExpireConfig, given: ExpireOptions): Promise<void> {
  // A daemon tries again for ever: what is wrong from the start is told at once.
  if (config.source.kind === 'server') await readAccess(config.source.address.access ?? {});
  const level = given.verbose === true ? 'debug' : given.logLevel;
  const logger = createLogger({ level, pretty: given.logPretty === true, name: 'tugela-expire' });
  await runExpire(config, {
    logger,
    version: protocolVersion(),
    endsWithStdin: process.env[PARENT_PIPE_VARIABLE] === '1',
    openOffline,
  });
}

/** Loaded only when asked for: the daemon of a running server needs no LevelDB. */
async function openOffline(dir: string): Promise<SweepTarget> {
  const { openOffline: open } = await import('../offline.ts');
  return await open(dir);
}

function options(): Option[] {
  const port = wholeNumber(1, 65_535);
  return [
    new Option('-H, --host <host>', 'the server to sweep').default('127.0.0.1').argParser(parser(text('a host name or address'))),
    new Option('-P, --port <num>', "the server's port").default(11_211).argParser(parser(port)),
    new Option('--socket <path>', "the server's unix socket, instead of host and port").argParser(parser(socketPath())),
    new Option('-f, --file <dir>', "open a stopped server's directory, sweep it once and exit").argParser(parser(text('a path'))),
    new Option('--interval <secs>', 'longest sleep while nothing is due')
      .default(5)
      .argParser(decimal('seconds', MAX_INTERVAL_SECONDS, false)),
    new Option('--batch <num>', 'entries per round trip at most').default(1000).argParser(parser(wholeNumber(1, MAX_BATCH))),
    new Option('--max-rate <num>', 'entries per second at most; 0 = no cap')
      .default(0)
      .argParser(parser(wholeNumber(0, 1_000_000_000))),
    new Option('--once', 'sweep until nothing is due, print a summary, exit'),
    new Option('--wait <secs>', 'with --once: wait this long for a server that cannot be reached')
      .default(5)
      .argParser(decimal('seconds', MAX_INTERVAL_SECONDS, true)),
    new Option('--json', 'with --once: the summary as one JSON object'),
    new Option('-o, --older-than <days>', 'also delete what was stored more than so many days ago').argParser(
      decimal('days', MAX_DAYS, false),
    ),
    new Option('-p, --prefix <prefix>', 'only keys that begin so').argParser(parsePrefix),
    new Option('--dry-run', 'one sweep that counts and deletes nothing'),
    new Option('--print', 'one sweep that writes "delete KEY" lines to stdout and deletes nothing'),
    new Option('--stats-port <num>', "port of the daemon's own stats on 127.0.0.1; 0 = any free one")
      .default(11_212)
      .argParser(parser(wholeNumber(0, 65_535))),
    new Option('--no-stats', 'do not listen for stats'),
    new Option('-v, --verbose', 'log every sweep with work: the same as --log-level debug'),
    new Option('--log-level <level>', 'least important messages to log')
      .default('info')
      .argParser(parser(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'))),
    new Option('--log-pretty', 'log lines for people instead of JSON'),
  ];
}

/** Checks what concerns several options together, and puts the configuration together. */
function expireConfig(command: Command): ExpireConfig {
  const given = command.opts<ExpireOptions>();
  const isGiven = (name: keyof ExpireOptions): boolean => command.getOptionValueSource(name) === 'cli';
  const refuse = (message: string): never => command.error(`error: ${message}`, { exitCode: USAGE_EXIT_CODE });
  const isAlone = (name: keyof ExpireOptions, flag: string, others: readonly (readonly [keyof ExpireOptions, string])[]): void => {
    const other = isGiven(name) ? others.find(([each]) => isGiven(each)) : undefined;
    if (other !== undefined) refuse(`${flag} and ${other[1]} exclude each other`);
  };
  isAlone('file', '--file', [['host', '--host'], ['port', '--port'], ['socket', '--socket'], ['wait', '--wait']]);
  if (isGiven('file') && asksForAccess(command)) refuse('--file excludes passwords and TLS: they are for a running server');
  isAlone('socket', '--socket', [['host', '--host'], ['port', '--port']]);
  isAlone('print', '--print', [['dryRun', '--dry-run'], ['json', '--json']]);
  if (!given.stats && isGiven('statsPort')) refuse('--stats-port and --no-stats exclude each other');
  const mode = modeOf(given);
  const once = given.once === true || given.file !== undefined || mode !== 'delete';
  if (given.json === true && !once) refuse('--json needs --once: a daemon has no summary');
  if (isGiven('wait') && !once) refuse('--wait needs --once: the daemon waits for ever');
  return {
    source: sourceOf(given, accessOf(command)),
    settings: {
      batch: given.batch,
      maxRate: given.maxRate,
      intervalMs: given.interval * 1000,
      olderThanDays: given.olderThan,
      prefix: given.prefix,
    },
    mode,
    once,
    json: given.json === true,
    waitMs: given.wait * 1000,
    statsPort: given.stats ? given.statsPort : undefined,
  };
}

function modeOf(given: ExpireOptions): Mode {
  if (given.print === true) return 'print';
  return given.dryRun === true ? 'report' : 'delete';
}

function sourceOf(given: ExpireOptions, access: Access | undefined): Source {
  if (given.file !== undefined) return { kind: 'directory', dir: given.file };
  const address: Address =
    given.socket === undefined ? { host: given.host, port: given.port, access } : { path: given.socket, access };
  return { kind: 'server', address };
}

/** Decimal numbers with a fraction. Not 0 unless allowed: for an age or an interval it would mean "all" or "always". */
function decimal(what: string, max: number, allowsZero: boolean): (word: string) => number {
  return (word) => {
    const value = /^\d{1,10}(\.\d{1,9})?$/.test(word) ? Number(word) : Number.NaN;
    if (Number.isNaN(value) || value > max || (value === 0 && !allowsZero)) {
      const range = allowsZero ? `from 0 to ${max}` : `above 0, up to ${max}`;
      throw new InvalidArgumentError(`Allowed is a number of ${what} ${range}, such as 0.5.`);
    }
    return value;
  };
}

function parsePrefix(word: string): Buffer {
  const prefix = Buffer.from(word, 'utf8');
  if (prefix.length === 0 || prefix.length > KEY_MAX_LENGTH || /[ \n]/.test(word)) {
    throw new InvalidArgumentError(`Allowed are 1 to ${KEY_MAX_LENGTH} bytes without blanks and line ends, as in keys.`);
  }
  return prefix;
}
