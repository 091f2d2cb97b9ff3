import { Command, Option } from 'commander';
import { innerSweep } from '../../daemon/inner-sweep.ts';
import { readServeSettings, type ServeSettings } from '../config/serve-config.ts';
import { serveOptions } from '../config/serve-options.ts';
import { createLogger, type Logger } from '../log.ts';
import { packageVersion } from '../version.ts';
import { expireArguments, expireEnvironment, expireSpawner } from './expire-child.ts';
import { addOptions } from './options.ts';
import { systemPidfileDeps } from './pidfile.ts';
import { systemIdentity } from './privileges.ts';
import { type Companion, runServer } from './run-server.ts';
import { Supervisor } from './supervise.ts';
import { systemTimers } from './timers.ts';

const NAME = 'tugela-ts';

const NOTES = `
Every long option can also be said as TUGELA_NAME in the environment (TUGELA_MAX_ITEM_SIZE=2m) or as a
key of the JSON object in --config or TUGELA_CONFIG ({"maxItemSize": "2m"}). The command line wins over
the environment, the environment over the file.

Signals: SIGTERM, SIGINT and SIGUSR1 stop in order, a second one at once. SIGHUP is ignored.`;

/** The command `serve`: options and signals around the server. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run the server').addHelpText('after', NOTES);
  addOptions(command, serveOptions);
  command.addOption(new Option('--config <file>', 'read options from this JSON file').helpGroup('Process:'));
  command.optionsGroup('Other:').version(packageVersion(), '-V, --version', 'print the version');
  return command.action(async (given: Record<string, unknown>) => {
    const settings = readServeSettings(given, process.env);
    // Not left to the event loop: after a forced stop something is still in hand.
    process.exit(await serve(settings));
  });
}

async function serve(settings: ServeSettings): Promise<number> {
  const { logLevel, logPretty } = settings.process;
  const logger = createLogger({ level: logLevel, pretty: logPretty, name: NAME });
  // Loaded here, so that other commands and mistaken options do not wait for LevelDB.
  const { startServer } = await import('../server/start.ts');
  return runServer(settings, {
    startServer: (config, startDeps) => startServer(config, { ...startDeps, sweep: innerSweep(logger) }),
    logger,
    signals: process,
    timers: systemTimers,
    identity: systemIdentity,
    pidfile: systemPidfileDeps,
    companion: (addresses) => expireCompanion(addresses, settings, logger),
    print: printer(logger),
  });
}

function expireCompanion(addresses: readonly string[], settings: ServeSettings, logger: Logger): Companion {
  const args = expireArguments(addresses, settings.process);
  const spawn = expireSpawner(args, expireEnvironment(process.env));
  return new Supervisor('expiry child', { spawn, timers: systemTimers, logger });
}

/** Whoever started us may have closed our stdout long since; a server does not die of that. */
function printer(logger: Logger): (line: string) => void {
  process.stdout.on('error', (error) => logger.debug({ err: error }, 'stdout closed'));
  return (line) => void process.stdout.write(`${line}\n`);
}
