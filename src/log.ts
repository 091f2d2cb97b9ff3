import pino from 'pino';
import { prettyFactory } from 'pino-pretty';

export type { Logger } from 'pino';

/** What `createLogger` needs to know. */
export interface LogOptions {
  /** Lowest level written: trace, debug, info, warn, error, fatal; `silent` = nothing. */
  readonly level: string;
  /** Lines for people instead of one JSON object a line. */
  readonly pretty: boolean;
  /** Who speaks; in every line. */
  readonly name: string;
}

const STDERR = 2;

/**
 * Makes a logger that writes to stderr, synchronously: the last line before an exit is never lost.
 * Everything below the command line is handed a logger and makes none.
 */
export function createLogger(options: LogOptions): pino.Logger {
  const stderr = pino.destination({ fd: STDERR, sync: true });
  const settings: pino.LoggerOptions = {
    name: options.name,
    level: options.level,
    // No host name: whoever collects the lines of several machines knows where each came from.
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return pino(settings, options.pretty ? prettyDestination(stderr) : stderr);
}

/** Formats in the same call: a transform stream would hold lines back that an exit then loses. */
function prettyDestination(stderr: pino.DestinationStream): pino.DestinationStream {
  const format = prettyFactory({ colorize: process.stderr.isTTY, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' });
  return {
    write(line: string): void {
      stderr.write(format(line));
    },
  };
}
