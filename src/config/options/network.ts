import type { ControlMode, ListenAddress, ProtocolMode } from '../../config.ts';
import { listenList } from '../listen-list.ts';
import { option } from '../option.ts';
import { byteSize, flag, octalMode, oneOf, PORT_MAX, portOrNone, socketPath, wholeNumber } from '../value-type.ts';

const group = 'Network:';

const CONTROL_MODES = ['local', 'any', 'off'] as const satisfies readonly ControlMode[];
const PROTOCOL_MODES = ['auto', 'ascii', 'binary'] as const satisfies readonly ProtocolMode[];

/** Bytes of the smallest and largest `--connection-memory`. */
const CONNECTION_MEMORY_MIN = 4 * 1024 ** 2;
const CONNECTION_MEMORY_MAX = 1024 ** 4;

/** A week: what lets a client be idle for longer may as well never close it. */
const IDLE_MAX_SECONDS = 604_800;

/** Where clients connect, how many, and how. */
export const networkOptions = {
  port: option({
    name: 'port',
    short: 'p',
    argument: 'num',
    group,
    type: wholeNumber(0, PORT_MAX),
    default: 11_211,
    defaultText: '11211',
    description: 'TCP port; 0 = any free one, printed on stdout',
  }),
  listen: option<readonly ListenAddress[]>({
    name: 'listen',
    short: 'l',
    argument: 'addr',
    group,
    type: listenList(),
    default: [{ host: '127.0.0.1', port: undefined, security: undefined }],
    defaultText: '127.0.0.1',
    description: 'address to listen on; may be repeated; none = no TCP, for --socket alone',
  }),
  udpPort: option<number | undefined>({
    name: 'udp-port',
    short: 'U',
    argument: 'num',
    group,
    type: portOrNone(),
    default: undefined,
    defaultText: 'none',
    description: 'UDP port on the same addresses; 0 = any free one, printed on stdout',
  }),
  udpLongReplies: option({
    name: 'udp-long-replies',
    group,
    type: flag(),
    default: false,
    description: 'over UDP, send other machines replies longer than their requests too: only in a network where nobody forges addresses',
  }),
  socket: option<string | undefined>({
    name: 'socket',
    argument: 'path',
    group,
    type: socketPath(),
    default: undefined,
    description: 'unix socket to listen on as well',
  }),
  socketMode: option({
    name: 'socket-mode',
    short: 'a',
    argument: 'octal',
    group,
    type: octalMode(),
    default: 0o700,
    defaultText: '0700',
    description: 'permissions of the unix socket',
  }),
  connections: option({
    name: 'connections',
    short: 'c',
    argument: 'num',
    group,
    type: wholeNumber(1, 1_000_000),
    default: 1024,
    defaultText: '1024',
    description: 'most client connections at once',
  }),
  connectionMemory: option<number | undefined>({
    name: 'connection-memory',
    argument: 'size',
    group,
    type: byteSize(CONNECTION_MEMORY_MIN, CONNECTION_MEMORY_MAX),
    default: undefined,
    unit: 'bytes',
    description: 'memory for requests and unread replies of all connections together; if not given, the most of 32m, a quarter of --memory and four times --max-item-size',
  }),
  backlog: option({
    name: 'backlog',
    short: 'b',
    argument: 'num',
    group,
    type: wholeNumber(1, 1_000_000),
    default: 1024,
    defaultText: '1024',
    description: 'connections that the system queues while the server is busy',
  }),
  maxRequestsPerEvent: option({
    name: 'max-requests-per-event',
    short: 'R',
    argument: 'num',
    group,
    type: wholeNumber(1, 1_000_000),
    default: 100,
    defaultText: '100',
    description: 'requests of one connection that are executed before others get their turn',
  }),
  idleTimeout: option({
    name: 'idle-timeout',
    argument: 'secs',
    group,
    type: wholeNumber(0, IDLE_MAX_SECONDS),
    default: 0,
    defaultText: '0',
    unit: 's',
    description: 'close a TCP connection after so long without a command; 0 = never',
  }),
  protocol: option<ProtocolMode>({
    name: 'protocol',
    short: 'B',
    argument: 'name',
    group,
    type: oneOf(...PROTOCOL_MODES),
    default: 'auto',
    defaultText: 'auto',
    description: "what clients may speak; auto = a connection's first byte decides; with passwords, what they are for",
  }),
  control: option<ControlMode>({
    name: 'control',
    argument: 'who',
    group,
    type: oneOf(...CONTROL_MODES),
    default: 'local',
    defaultText: 'local',
    description:
      'who may send what concerns all clients (the commands of the expiry daemon, cache_memlimit, refresh_certs, shutdown, crawls, verbosity): local = unix socket and loopback clients, any = every client, off = nobody',
  }),
} as const;
