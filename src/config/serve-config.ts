import { isIP } from 'node:net';
import type { ServeConfig } from '../config.ts';
import { isLoopback, isWildcard } from './address.ts';
import { readConfigFile } from './file.ts';
import type { ValuesOf } from './option.ts';
import { type Layer, readCommandLine, readEnvironment, type Resolved, resolveOptions, type SaidValues, usageError } from './resolve.ts';
import { LOG_LEVELS, type LogLevel, serveOptions, type ServeOptions } from './serve-options.ts';

/** What concerns the process around the server, not the server. */
export interface ProcessConfig {
  readonly withExpire: boolean;
  readonly pidfile: string | undefined;
  readonly user: string | undefined;
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
}

/** All that `tugela-ts serve` was told. */
export interface ServeSettings {
  readonly server: ServeConfig;
  readonly process: ProcessConfig;
}

/** Names the configuration file when the command line does not. */
export const CONFIG_VARIABLE = 'TUGELA_CONFIG';

/**
 * Settles what `tugela-ts serve` was told: command line over environment over file over defaults.
 * `given` holds what commander gathered. Throws `TUGELA_USAGE` with one line that says what is wrong,
 * where it was said and what is allowed.
 */
export function readServeSettings(
  given: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
): ServeSettings {
  const resolved = resolveOptions(serveOptions, {
    commandLine: readCommandLine(serveOptions, given),
    environment: readEnvironment(serveOptions, environment),
    file: readFile(given['config'], environment),
  });
  checkTogether(resolved.values);
  const { withExpire, pidfile, user, logPretty, verbose: _verbose, logLevel: _logLevel, ...server } = resolved.values;
  const logLevel = effectiveLevel(resolved);
  return {
    server: { ...server, verbosity: verbosityOf(logLevel) },
    process: { withExpire, pidfile, user, logPretty, logLevel },
  };
}

function readFile(given: unknown, environment: NodeJS.ProcessEnv): SaidValues {
  const path = typeof given === 'string' ? given : environment[CONFIG_VARIABLE];
  if (path === undefined || (path === '' && given === undefined)) return new Map();
  if (path === '') throw usageError("--config: '' is not a path");
  return readConfigFile(serveOptions, path);
}

/** What no option can check alone. */
function checkTogether(values: ValuesOf<ServeOptions>): void {
  const { listen, socket, withExpire, control } = values;
  if (listen.length === 0 && socket === undefined) {
    throw usageError('--listen: none leaves nothing to listen on; give --socket too');
  }
  if (!withExpire) return;
  if (control === 'off') {
    throw usageError('--with-expire: the daemon needs the commands that --control off forbids; use local or any');
  }
  if (control === 'local' && socket === undefined && listen.every(isElsewhere)) {
    throw usageError(
      `--with-expire: the daemon cannot reach ${listen.join(', ')} as a local client; add --listen 127.0.0.1 or --socket, or use --control any`,
    );
  }
}

/** True for an address that a connection from this machine does not reach over the loopback. */
function isElsewhere(host: string): boolean {
  return isIP(host) !== 0 && !isLoopback(host) && !isWildcard(host);
}

const STRENGTH: Readonly<Record<Layer, number>> = { 'command line': 3, environment: 2, file: 1, default: 0 };

/** -v and --log-level say the same thing twice: the stronger layer wins, within one the level. */
function effectiveLevel({ values, layerOf }: Resolved<ServeOptions>): LogLevel {
  if (STRENGTH[layerOf.verbose] <= STRENGTH[layerOf.logLevel]) return values.logLevel;
  if (values.verbose === 0) return values.logLevel;
  return values.verbose === 1 ? 'debug' : 'trace';
}

function verbosityOf(level: LogLevel): number {
  return Math.max(0, LOG_LEVELS.indexOf('info') - LOG_LEVELS.indexOf(level));
}
