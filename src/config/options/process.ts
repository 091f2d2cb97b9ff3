import { option, type OptionSpec } from '../option.ts';
import { flag, oneOf, text, wholeNumber } from '../value-type.ts';

const PROCESS = 'Process:';
const LOGGING = 'Logging:';

/** Log levels from the chattiest to none. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The process around the server, and its log. */
export const processOptions = {
  pidfile: option<string | undefined>({
    name: 'pidfile',
    short: 'P',
    argument: 'path',
    group: PROCESS,
    type: text('a path'),
    default: undefined,
    description: 'write the process id here, removed at exit',
  }),
  user: option<string | undefined>({
    name: 'user',
    short: 'u',
    argument: 'name',
    group: PROCESS,
    type: text('a user name or id'),
    default: undefined,
    description: 'run as this user when started as root',
  }),
  verbose: option({
    name: 'verbose',
    short: 'v',
    counts: true,
    group: LOGGING,
    type: verbosity(),
    default: 0,
    description: 'log more: -v = debug, -vv = trace, with connections and keys',
  }),
  logLevel: option<LogLevel>({
    name: 'log-level',
    argument: 'level',
    group: LOGGING,
    type: oneOf(...LOG_LEVELS),
    default: 'info',
    defaultText: 'info',
    description: 'lowest level logged: trace, debug, info, warn, error, fatal, silent',
  }),
  logPretty: option({
    name: 'log-pretty',
    group: LOGGING,
    type: flag(),
    default: false,
    description: 'log lines for people instead of JSON',
  }),
} as const;

/** A count; a file or variable that says "yes" means one -v. */
function verbosity(): OptionSpec<number>['type'] {
  const count = wholeNumber(0, 9);
  return {
    ...count,
    json: ['number', 'boolean', 'string'],
    parse: (word) => count.parse({ true: '1', false: '0' }[word] ?? word),
  };
}
