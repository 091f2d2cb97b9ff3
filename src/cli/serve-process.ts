import { innerSweep } from '../../daemon/inner-sweep.ts';
import type { ServeSettings } from '../config/settle.ts';
import { createLogger, type Logger } from '../log.ts';
import type { StartDeps } from '../server/start.ts';
import { daemonAddresses, expireArguments, expireEnvironment, expireSpawner } from './expire-child.ts';
import { systemPidfileDeps } from './pidfile.ts';
import { systemIdentity } from './privileges.ts';
import { type Companion, type RunDeps, runServer } from './run-server.ts';
import { Supervisor } from './supervise.ts';
import { systemTimers } from './timers.ts';
import { boundHeap } from './v8-heap.ts';

/** What the log calls us. */
export const LOG_NAME = 'tugela-ts';

/** How the commands that serve differ once their options are read. */
export interface ServeHooks {
  /** Whether the addresses are printed on stdout. */
  readonly printsAddresses: boolean;
  readonly onReady?: RunDeps['onReady'];
}

/** Runs a server in this process, with its signals, and resolves with the exit status. */
export async function serveInProcess(settings: ServeSettings, hooks: ServeHooks): Promise<number> {
  boundHeap(settings.server.memory);
  const { logLevel, logPretty, autoRepair } = settings.process;
  const logger = createLogger({ level: logLevel, pretty: logPretty, name: LOG_NAME });
  // Loaded here, so that other commands and mistaken options do not wait for LevelDB.
  const { startServer } = await import('../server/start.ts');
  // A server told to listen on nothing is alive until a signal ends it.
  const alive = setInterval(() => undefined, 2 ** 31 - 1);
  try {
    return await runServer(settings, {
      startServer: (config, startDeps) => startServer(config, { ...startDeps, sweep: innerSweep(logger), mend: autoRepair ? mender(logger) : undefined }),
      logger,
      signals: process,
      timers: systemTimers,
      identity: systemIdentity,
      pidfile: systemPidfileDeps,
      companion: (addresses) => expireCompanion(addresses, settings, logger),
      print: hooks.printsAddresses ? printer(logger) : () => undefined,
      ...(hooks.onReady === undefined ? {} : { onReady: hooks.onReady }),
    });
  } finally {
    clearInterval(alive);
  }
}

function expireCompanion(addresses: readonly string[], settings: ServeSettings, logger: Logger): Companion {
  const args = expireArguments(daemonAddresses(addresses, settings.server), settings.process);
  const spawn = expireSpawner(args, expireEnvironment(process.env));
  return new Supervisor('expiry child', { spawn, timers: systemTimers, logger });
}

/** Loaded when it is needed, which is as good as never. */
function mender(logger: Logger): NonNullable<StartDeps['mend']> {
  return async (directory, damage) => {
    const { autoRepair } = await import('../tools/auto-repair.ts');
    await autoRepair(directory, damage, { logger, now: new Date() });
  };
}

/** Whoever started us may have closed our stdout long since; a server does not die of that. */
function printer(logger: Logger): (line: string) => void {
  process.stdout.on('error', (error) => logger.debug({ err: error }, 'stdout closed'));
  return (line) => void process.stdout.write(`${line}\n`);
}
