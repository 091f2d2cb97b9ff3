import { Command, CommanderError } from 'commander';
import { messageOf, TugelaError } from '../errors.ts';

/** A command that reads its words itself, since they follow other rules than ours. */
export interface RawCommand {
  readonly name: string;
  readonly description: string;
  /** The whole help text. */
  readonly help: string;
  /** Resolves with the exit status; rejects with what went wrong. */
  run(args: readonly string[], deps: Pick<ProgramDeps, 'environment' | 'writeOut'>): Promise<number>;
}

/** What `runProgram` is given besides the command line. */
export interface ProgramDeps {
  readonly commands: readonly Command[];
  readonly rawCommands?: readonly RawCommand[];
  readonly version: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Resolves when it is written, or nobody reads it; rejects when it cannot be. */
  writeOut(text: string): Promise<void>;
  writeError(text: string): void;
}

const NAME = 'tugela-ts';
const FAILED = 1;
const USAGE = 2;

/**
 * Runs one command line (without the program's own name) and resolves with the exit status: 0, 1 for a
 * failure, 2 for a mistake in the command line. Mistakes and failures are one line on stderr; with -vv
 * the stack follows.
 */
export async function runProgram(args: readonly string[], deps: ProgramDeps): Promise<number> {
  /** What commander wrote, which does not wait for it. */
  let written: Promise<unknown> = Promise.resolve();
  const program = buildProgram(deps, (text) => (written = Promise.all([written, deps.writeOut(text)])));
  let running: Command | undefined;
  program.hook('preAction', (_program, action) => {
    running = action;
  });
  try {
    if (args.length === 0) throw noCommand(program.commands);
    const raw = deps.rawCommands?.find(({ name }) => name === args[0]);
    if (raw !== undefined) return await raw.run(args.slice(1), deps);
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (thrown) {
    let error: unknown = thrown;
    if (thrown instanceof CommanderError) {
      try {
        await written;
        // Commander has told the user already, and exits with 0 after -h and -V.
        return thrown.exitCode === 0 ? 0 : USAGE;
      } catch (cause) {
        error = cause;
      }
    }
    deps.writeError(`${NAME}: ${messageOf(error)}\n`);
    if (wantsStack(running, deps.environment)) deps.writeError(`${stackOf(error)}\n`);
    return error instanceof TugelaError && error.code === 'TUGELA_USAGE' ? USAGE : FAILED;
  }
}

function buildProgram(deps: ProgramDeps, writeOut: (text: string) => void): Command {
  const program = new Command(NAME)
    .description('A persistent memcached: the memcached protocol in front of LevelDB.')
    .version(deps.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut,
      writeErr: (text) => deps.writeError(text),
      outputError: (text, write) => write(oneLine(text)),
    });
  for (const command of deps.commands) {
    command.copyInheritedSettings(program);
    command.helpOption('-h, --help', 'print this help');
    program.addCommand(command);
  }
  // These are here for the list of commands, for suggestions and for "help NAME".
  for (const { name, description, help } of deps.rawCommands ?? []) {
    const command = new Command(name).copyInheritedSettings(program).description(description).helpOption(false);
    program.addCommand(command.usage('[options]').configureHelp({ formatHelp: () => help }));
  }
  return program;
}

/** Commander would print the whole help as an error without saying what is wrong. */
function noCommand(commands: readonly Command[]): TugelaError {
  const names = commands.map((command) => command.name()).join(' or ');
  return new TugelaError('TUGELA_USAGE', `no command given; say ${names}, or --help`);
}

/** Commander writes "error: …", and a suggestion on a second line. */
function oneLine(text: string): string {
  return `${NAME}: ${text.trim().replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')}\n`;
}

function wantsStack(command: Command | undefined, environment: NodeJS.ProcessEnv): boolean {
  const verbose: unknown = command?.opts()['verbose'] ?? environment['TUGELA_VERBOSE'];
  return Number(verbose) >= 2;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}
