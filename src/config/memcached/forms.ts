import type { OptionSpec } from '../option.ts';
import { ITEM_SIZE_MAX, ITEM_SIZE_MIN } from '../options/store.ts';
import { usageError } from '../resolve.ts';
import { serveOptions, type ServeOptions } from '../serve-options.ts';
import { formatBytes } from '../value-type.ts';
import type { Draft } from './draft.ts';
import { readExtended } from './extended.ts';
import type { OptionForm } from './getopt.ts';

/** What ends the program after a line or a page. */
export type Question = 'help' | 'license' | 'version';

/** An option of `tugela-ts memcached`. */
export interface Form extends OptionForm {
  /** The placeholder of its value in the help text. */
  readonly argument?: string;
  readonly description: string;
  readonly question?: Question;
  apply?(draft: Draft, value: string, place: string): void;
}

/** The options of `serve` that have no counterpart in memcached, under the same long names. */
export const OWN_KEYS = [
  'file',
  'ack',
  'autoRepair',
  'disableRamTier',
  'diskLimit',
  'quota',
  'connectionMemory',
  'sync',
  'ephemeralTtl',
  'expireEvery',
  'withExpire',
  'control',
  'udpLongReplies',
  'logLevel',
  'logPretty',
] as const satisfies readonly (keyof ServeOptions)[];

const CHUNKS = 'items are not kept in chunks of fixed size';

/** memcached's own options. */
export const memcachedForms: readonly Form[] = [
  valued('p', 'port', 'num', 'TCP port (11211); -1 = any free one, 0 = none', (draft, value, place) => {
    const port = draft.number(value, place);
    draft.withoutTcp = port === 0;
    draft.say('port', String(port === -1 ? 0 : port), place);
  }),
  valued('U', 'udp-port', 'num', 'UDP port (0, off); given without -p it is the TCP port too; -1 = any free one', (draft, value, place) => {
    const port = draft.number(value, place);
    draft.say('udpPort', port === 0 ? 'none' : String(port === -1 ? 0 : port), place);
  }),
  valued('s', 'unix-socket', 'file', 'unix socket to listen on, with no TCP and no UDP', (draft, value, place) => draft.say('socket', value, place)),
  valued('a', 'unix-mask', 'mask', 'permissions of the unix socket, in octal (700)', (draft, value, place) => {
    if (!/^0*[0-7]{1,3}$/.test(value)) throw usageError(`${place}: '${value}' is not an octal mode from 0 to 777`);
    draft.say('socketMode', Number.parseInt(value, 8).toString(8).padStart(4, '0'), place);
  }),
  flag('A', 'enable-shutdown', 'let clients stop the server with shutdown', 'enableShutdown'),
  valued('l', 'listen', 'addr', 'address to listen on (127.0.0.1; * = all): host, host:port or [v6]:port; several with commas or repeated; notls: or mtls: in front for no TLS, or TLS with a client certificate', (draft, value) => {
    draft.listen.push(value);
  }),
  {
    letter: 'd',
    longs: ['daemon'],
    takesValue: false,
    description: 'run in the background, without a log; returns when clients are accepted. Under a service manager leave it out',
    apply(draft) {
      draft.daemon = true;
    },
  },
  ignored('r', 'enable-coredumps', undefined, 'core dumps', "the shell's ulimit decides on core dumps"),
  valued('u', 'user', 'user', 'run as this user when started as root', (draft, value, place) => draft.say('user', value, place)),
  valued('m', 'memory-limit', 'num', 'memory for caching, in megabytes (64); items beyond it stay on disk', number('memory')),
  flag('M', 'disable-evictions', 'refuse stores at --disk-limit and --quota rather than evict items to make room', 'disableEvictions'),
  valued('c', 'conn-limit', 'num', 'most client connections at once (1024)', number('connections')),
  flag('k', 'lock-memory', 'no effect here', 'lockMemory'),
  {
    letter: 'v',
    longs: ['verbose'],
    takesValue: false,
    description: 'log more: -v what is done, -vv also connections and keys; -vvv as -vv',
    apply: (draft, _value, place) => draft.say('verbose', String(Math.min(Number(draft.said.get('verbose')?.text ?? 0) + 1, 9)), place),
  },
  { letter: 'h', longs: ['help'], takesValue: false, description: 'print this help and exit', question: 'help' },
  { letter: 'i', longs: ['license'], takesValue: false, description: 'print the licence and exit', question: 'license' },
  { letter: 'V', longs: ['version'], takesValue: false, description: 'print the version and exit', question: 'version' },
  valued('P', 'pidfile', 'file', 'write the process id here, with or without -d; removed at exit', (draft, value, place) => draft.say('pidfile', value, place)),
  ignored('f', 'slab-growth-factor', 'num', 'no effect here', CHUNKS),
  valued('n', 'slab-min-size', 'bytes', 'no effect here', number('slabMinSize')),
  flag('L', 'enable-largepages', 'no effect here', 'enableLargepages'),
  valued('D', undefined, 'char', "the character that ends a key's prefix in stats detail (:); giving it starts the counting", (draft, value, place) =>
    draft.say('prefixDelimiter', value.charAt(0), place),
  ),
  valued('t', 'threads', 'num', 'no effect here', number('threads')),
  valued('R', 'max-reqs-per-event', 'num', 'requests of one connection that are executed before others get their turn (100)', number('maxRequestsPerEvent')),
  flag('C', 'disable-cas', 'show no cas uniques; every cas fails', 'disableCas'),
  valued('b', 'listen-backlog', 'num', 'connections that the system queues while the server is busy (1024)', number('backlog')),
  valued('B', 'protocol', 'name', 'ascii, binary, or auto (auto)', (draft, value, place) => draft.say('protocol', value, place)),
  valued('I', 'max-item-size', 'num', 'largest item: bytes, or a number with k or m (1m; from 1k to 1024m, and at most half of -m)', readItemSize),
  flag('S', 'enable-sasl', 'clients must authenticate by SASL; users are in the file that MEMCACHED_SASL_PWDB names', 'enableSasl'),
  flag('F', 'disable-flush-all', 'refuse flush_all', 'disableFlushAll'),
  flag('X', 'disable-dumping', 'refuse stats cachedump, stats detail, lru_crawler metadump and mgdump', 'disableDumping'),
  flag('W', 'disable-watch', 'refuse watch', 'disableWatch'),
  valued('Y', 'auth-file', 'file', 'clients must authenticate by the text protocol; the file has lines user:password', (draft, value, place) =>
    draft.say('authFile', value, place),
  ),
  valued('e', 'memory-file', 'file', 'directory of the store where --file names none', (draft, value, place) => {
    draft.memoryFile = { text: value, place };
  }),
  flag('Z', 'enable-ssl', 'TLS on TCP; needs -o ssl_chain_cert', 'tls'),
  valued('o', 'extended', 'words', 'further options, with commas between them; see below', (draft, value) => readExtended(draft, value)),
  { ...ignored('N', 'napi-ids', 'num', 'no effect here', 'all requests are executed by one thread'), longs: ['napi-ids', 'napi_ids'] },
];

/** Tugela's options, which memcached does not have. */
export const ownForms: readonly Form[] = OWN_KEYS.flatMap(ownForm);

/** Words of `-o` that do something, for the help text. */
export const extendedHelp: readonly (readonly [words: string, description: string])[] = [
  ['idle_timeout=<num>', 'close a TCP connection after so many seconds without a command (0, never)'],
  ['track_sizes', 'let stats sizes count items by reading through the store'],
  ['watcher_logbuf_size=<num>', 'kilobytes of log lines that may wait for one client of watch (256)'],
  ['ssl_chain_cert=<file>', "PEM file with the server's certificate and its chain"],
  ['ssl_key=<file>', 'PEM file with the private key, if it is not in ssl_chain_cert'],
  ['ssl_ca_cert=<file>', "PEM file of the authorities that sign clients' certificates"],
  ['ssl_verify_mode=<num>', "clients' certificates: 0 = not asked for (0), 1 = asked for, 2 and 3 = required"],
  ['ssl_ciphers=<list>', 'ciphers allowed'],
  ['ssl_min_version=<num>', 'oldest version allowed: 0 = TLS 1.0, 1 = 1.1, 2 = 1.2, 3 = 1.3 (2)'],
  ['ssl_session_cache', 'let clients resume a session'],
  ['ssl_wbuf_size, ssl_keyformat=1, maxconns_fast', 'as in memcached'],
  ['others', 'those on slabs, LRU, hashing, memory, threads and privileges are taken, without effect; no ext_ and no proxy_'],
];

function valued(letter: string, long: string | undefined, argument: string, description: string, apply: NonNullable<Form['apply']>): Form {
  return { letter, longs: long === undefined ? [] : [long], takesValue: true, argument, description, apply };
}

function flag(letter: string, long: string, description: string, key: keyof ServeOptions): Form {
  return { letter, longs: [long], takesValue: false, description, apply: (draft, _value, place) => draft.say(key, 'true', place) };
}

function number(key: keyof ServeOptions): NonNullable<Form['apply']> {
  return (draft, value, place) => draft.say(key, String(draft.number(value, place)), place);
}

function ignored(letter: string, long: string, argument: string | undefined, description: string, reason: string): Form {
  return {
    letter,
    longs: [long],
    takesValue: argument !== undefined,
    ...(argument === undefined ? {} : { argument }),
    description,
    apply: (draft, _value, place) => void draft.notices.push(`${place} has no effect here: ${reason}`),
  };
}

function readItemSize(draft: Draft, value: string, place: string): void {
  const [, digits = '', unit = ''] = /^(.*?)([km]?)$/is.exec(value) ?? [];
  const size = draft.number(digits, place) * ({ k: 1024, m: 1024 ** 2 }[unit.toLowerCase()] ?? 1);
  if (size < ITEM_SIZE_MIN || size > ITEM_SIZE_MAX) {
    throw usageError(`${place}: '${value}' is not a size from ${formatBytes(ITEM_SIZE_MIN)} to 1024m (bytes, or a number with k or m)`);
  }
  draft.say('maxItemSize', String(size), place);
}

function ownForm(key: (typeof OWN_KEYS)[number]): Form[] {
  const spec: OptionSpec<unknown> = serveOptions[key];
  const { name, argument, description } = spec;
  if (argument !== undefined) {
    const { list } = spec.type;
    return [
      {
        longs: [name],
        takesValue: true,
        argument,
        description,
        apply(draft, value, place) {
          const before = list ? draft.said.get(key)?.text : undefined;
          draft.say(key, before === undefined ? value : `${before},${value}`, place);
        },
      },
    ];
  }
  return [true, false].map((isOn) => ({
    longs: [isOn ? name : `no-${name}`],
    takesValue: false,
    description: isOn ? description : `take back --${name}`,
    apply: (draft, _value, place) => draft.say(key, String(isOn), place),
  }));
}
