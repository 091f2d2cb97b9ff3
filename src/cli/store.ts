import { Command, Option } from 'commander';
import type { Address } from '../../daemon/address.ts';
import { accessOf, addAccessOptions, asksForAccess } from '../client/access-options.ts';
import { parser } from '../client/parser.ts';
import { socketPath, text, wholeNumber } from '../config/value-type.ts';
import { TugelaError } from '../errors.ts';
import { CommandGroup } from './command-group.ts';
import { storePrefixOption } from './store-prefix.ts';

/** Words that options were given as, after parsing. */
interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly socket?: string;
}

interface DumpOptions extends ServerOptions {
  readonly output?: string;
  readonly prefix: string;
  readonly gzip?: true;
}

interface LoadOptions extends ServerOptions {
  readonly merge?: true;
  readonly prefix: string;
  readonly json?: true;
}

interface RepairOptions {
  readonly into?: string;
  readonly inPlace?: true;
  readonly fromValues?: true;
  readonly json?: true;
}

/** Findings printed unless another number is asked for. */
const FINDINGS_SHOWN = 100;

const GROUP_NOTES = `
DIR is the directory of a stopped server. dump and load also work on a running one, with --host and --port or
--socket. Exit status: 0 done, 1 failed or something found, 2 a mistake in the command line.`;

/** The command `tugela-ts store`: looking into a store, checking, saving and mending it. */
export function storeCommand(): Command {
  const group = new CommandGroup('store').description("inspect, check, dump, load and repair a store's directory").addHelpText('after', GROUP_NOTES);
  for (const command of [statCommand(), verifyCommand(), dumpCommand(), loadCommand(), repairCommand(), compactCommand()]) {
    group.addCommand(command.allowExcessArguments(false));
  }
  return group;
}

function statCommand(): Command {
  return new Command('stat')
    .description('what is in a store: items, index, segments, LevelDB')
    .argument('<dir>', 'the directory')
    .addOption(jsonOption())
    .action(async (dir: string, { json }: { json?: true }) => {
      const { stat } = await import('../tools/commands.ts');
      await stat(dir, json === true);
    });
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('read every row and value, and tell what does not agree')
    .argument('<dir>', 'the directory')
    .addOption(new Option('--findings <num>', 'findings to print at most; all are counted').default(FINDINGS_SHOWN).argParser(parser(wholeNumber(0, 1_000_000_000))))
    .addOption(jsonOption())
    .action(async (dir: string, { json, findings }: { json?: true; findings: number }) => {
      const { verify } = await import('../tools/commands.ts');
      await verify(dir, json === true, findings);
    });
}

function dumpCommand(): Command {
  const command = new Command('dump')
    .description('write all live items to stdout or a file')
    .argument('[dir]', 'the directory; or name a running server')
    .addOption(new Option('-o, --output <file>', 'write to this file, which appears when it is complete').argParser(parser(text('a path'))))
    .addOption(storePrefixOption())
    .addOption(new Option('-z, --gzip', 'compress'));
  return addServerOptions(command).action(async (dir: string | undefined, given: DumpOptions) => {
    const source = sourceOf(command, dir, given);
    const { dump } = await import('../tools/commands.ts');
    await dump(source, { prefix: given.prefix, output: { path: given.output, gzip: given.gzip === true } });
  });
}

function loadCommand(): Command {
  const command = new Command('load')
    .description('put the items of a dump into a directory or a running server')
    .usage('[options] <dir> [file]\n       tugela-ts store load --host <host> [options] [file]')
    .argument('[words...]', 'the directory, made if missing, unless a server is named; and the dump, stdin if absent or -')
    .addOption(new Option('--merge', 'into a directory that is not empty; items of the dump replace those of the same key'))
    .addOption(storePrefixOption())
    .addOption(jsonOption());
  return addServerOptions(command).action(async (words: string[], given: LoadOptions) => {
    const isServer = namesServer(command);
    if (words.length > (isServer ? 1 : 2)) throw usage('too many arguments');
    if (isServer && given.merge === true) throw usage('--merge is for a directory: a running server always keeps what it has');
    const target = sourceOf(command, isServer ? undefined : words[0], given);
    const file = isServer ? words[0] : words[1];
    const { load } = await import('../tools/commands.ts');
    await load(target, { file: file === '-' ? undefined : file, merge: given.merge === true, prefix: given.prefix, json: given.json === true });
  });
}

function repairCommand(): Command {
  return new Command('repair')
    .description('save what can be read of a damaged store')
    .argument('<dir>', 'the directory')
    .addOption(new Option('--into <newdir>', 'copy what can be read to a new directory').argParser(parser(text('a path'))).conflicts('inPlace'))
    .addOption(new Option('--in-place', 'mend the directory itself; what cannot be read is deleted'))
    .addOption(new Option('--from-values', 'with --into: take items without a readable row from the value segments; old values and deleted items may come back'))
    .addOption(jsonOption())
    .action(async (dir: string, { into, inPlace, fromValues, json }: RepairOptions) => {
      if (into === undefined && inPlace !== true) throw usage('say --into NEWDIR or --in-place');
      if (into === undefined && fromValues === true) throw usage('--from-values needs --into');
      const { repair } = await import('../tools/commands.ts');
      await repair(dir, into, fromValues === true, json === true);
    });
}

function compactCommand(): Command {
  return new Command('compact')
    .description("give back the space of dead rows and values")
    .argument('<dir>', 'the directory')
    .addOption(jsonOption())
    .action(async (dir: string, { json }: { json?: true }) => {
      const { compact } = await import('../tools/commands.ts');
      await compact(dir, json === true);
    });
}

function addServerOptions(command: Command): Command {
  return addAccessOptions(command
    .addOption(new Option('-H, --host <host>', 'a running server').default('127.0.0.1').argParser(parser(text('a host name or address'))))
    .addOption(new Option('-P, --port <num>', "the server's port").default(11_211).argParser(parser(wholeNumber(1, 65_535))))
    .addOption(new Option('--socket <path>', "the server's unix socket, instead of host and port").argParser(parser(socketPath())).conflicts(['host', 'port'])));
}

function jsonOption(): Option {
  return new Option('--json', 'one JSON object instead of lines');
}

function namesServer(command: Command): boolean {
  return ['host', 'port', 'socket'].some((name) => command.getOptionValueSource(name) === 'cli');
}

/** The directory or the server that a command line names. */
function sourceOf(command: Command, dir: string | undefined, given: ServerOptions): string | Address {
  const isServer = namesServer(command);
  if (isServer && dir !== undefined) throw usage('name a directory or a server, not both');
  if (isServer) {
    const access = accessOf(command);
    return given.socket === undefined ? { host: given.host, port: given.port, access } : { path: given.socket, access };
  }
  if (asksForAccess(command)) throw usage('a password and TLS are for a running server: name it with --host, --port or --socket');
  if (dir === undefined) throw usage('name a directory, or a server with --host, --port or --socket');
  return dir;
}

function usage(problem: string): TugelaError {
  return new TugelaError('TUGELA_USAGE', problem);
}
