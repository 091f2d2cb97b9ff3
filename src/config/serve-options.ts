import type { AckMode, ControlMode } from '../config.ts';
import type { OptionSpec } from './option.ts';
import { byteSize, flag, formatBytes, hostList, octalMode, oneOf, seconds, socketPath, text, wholeNumber } from './value-type.ts';

const NETWORK = 'Network:';
const STORE = 'Store and memory:';
const EXPIRY = 'Expiry:';
const PROCESS = 'Process:';
const LOGGING = 'Logging:';

/** Log levels from the chattiest to none. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const ACK_MODES = ['memory', 'log', 'sync'] as const satisfies readonly AckMode[];
const CONTROL_MODES = ['local', 'any', 'off'] as const satisfies readonly ControlMode[];

const ITEM_SIZE_MIN = 1024;
const ITEM_SIZE_MAX = 128 * 1024 * 1024;
const ITEM_SIZE_DEFAULT = 1024 * 1024;

/** A timer must fit 31 bits of milliseconds; a week is the round number below. */
const INTERVAL_MAX_SECONDS = 604_800;

/** Everything `tugela-ts serve` can be told, except where its configuration file is. */
export const serveOptions = {
  port: option({
    name: 'port',
    short: 'p',
    argument: 'num',
    group: NETWORK,
    type: wholeNumber(0, 65_535),
    default: 11_211,
    defaultText: '11211',
    description: 'TCP port; 0 = any free one, printed on stdout',
  }),
  listen: option<readonly string[]>({
    name: 'listen',
    short: 'l',
    argument: 'addr',
    group: NETWORK,
    type: hostList(),
    default: ['127.0.0.1'],
    defaultText: '127.0.0.1',
    description: 'address to listen on; may be repeated; none = no TCP, for --socket alone',
  }),
  socket: option<string | undefined>({
    name: 'socket',
    argument: 'path',
    group: NETWORK,
    type: socketPath(),
    default: undefined,
    description: 'unix socket to listen on as well',
  }),
  socketMode: option({
    name: 'socket-mode',
    argument: 'octal',
    group: NETWORK,
    type: octalMode(),
    default: 0o700,
    defaultText: '0700',
    description: 'permissions of the unix socket',
  }),
  connections: option({
    name: 'connections',
    short: 'c',
    argument: 'num',
    group: NETWORK,
    type: wholeNumber(1, 1_000_000),
    default: 1024,
    defaultText: '1024',
    description: 'most client connections at once',
  }),
  control: option<ControlMode>({
    name: 'control',
    argument: 'who',
    group: NETWORK,
    type: oneOf(...CONTROL_MODES),
    default: 'local',
    defaultText: 'local',
    description:
      'who may send the commands of the expiry daemon: local = unix socket and loopback clients, any = every client, off = nobody',
  }),
  file: option({
    name: 'file',
    short: 'f',
    argument: 'dir',
    group: STORE,
    type: text('a path'),
    default: './data',
    defaultText: './data',
    description: 'directory of the store, made if missing',
  }),
  memory: option({
    name: 'memory',
    short: 'm',
    argument: 'MB',
    group: STORE,
    type: wholeNumber(1, 1_048_576),
    default: 64,
    defaultText: '64',
    unit: 'MB',
    description: "memory for caching: the RAM tier and LevelDB's block cache together",
  }),
  maxItemSize: option({
    name: 'max-item-size',
    short: 'I',
    argument: 'size',
    group: STORE,
    type: byteSize(ITEM_SIZE_MIN, ITEM_SIZE_MAX),
    default: ITEM_SIZE_DEFAULT,
    defaultText: formatBytes(ITEM_SIZE_DEFAULT),
    unit: 'bytes',
    description: 'largest item; k and m are understood',
  }),
  ack: option<AckMode>({
    name: 'ack',
    argument: 'when',
    group: STORE,
    type: oneOf(...ACK_MODES),
    default: 'log',
    defaultText: 'log',
    description:
      "when a write is acknowledged: memory = at once, written behind; log = when it is in LevelDB's log; sync = after fsync",
  }),
  sync: option({
    name: 'sync',
    short: 's',
    argument: 'secs',
    group: STORE,
    type: seconds(INTERVAL_MAX_SECONDS),
    default: 66,
    defaultText: '66',
    unit: 's',
    description: 'force writes to disk this often; 0 = never by timer',
  }),
  expireEvery: option({
    name: 'expire-every',
    short: 'E',
    argument: 'secs',
    group: EXPIRY,
    type: seconds(INTERVAL_MAX_SECONDS),
    default: 0,
    defaultText: '0',
    unit: 's',
    description: 'pause between sweeps inside the server; 0 = no sweeps inside the server',
  }),
  withExpire: option({
    name: 'with-expire',
    group: EXPIRY,
    type: flag(),
    default: false,
    description: 'run the expiry daemon as a child, restarted when it dies',
  }),
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

/** The values of `serveOptions`, defaults applied. */
export type ServeOptions = typeof serveOptions;

/** Only checks the type: a bare literal would give each default the type of its own text. */
function option<T>(spec: OptionSpec<T>): OptionSpec<T> {
  return spec;
}

/** A count; a file or variable that says "yes" means one -v. */
function verbosity(): OptionSpec<number>['type'] {
  const count = wholeNumber(0, 9);
  return {
    ...count,
    json: ['number', 'boolean', 'string'],
    parse: (word) => count.parse({ true: '1', false: '0' }[word] ?? word),
  };
}
