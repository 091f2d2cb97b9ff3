import type { AckMode, QuotaConfig } from '../../config.ts';
import { option } from '../option.ts';
import { quotaList } from '../quota-list.ts';
import { byteSize, flag, formatBytes, oneOf, seconds, text, wholeNumber } from '../value-type.ts';

const STORE = 'Store and memory:';
const EXPIRY = 'Expiry:';

const ACK_MODES = ['memory', 'log', 'sync'] as const satisfies readonly AckMode[];

const ITEM_SIZE_DEFAULT = 1024 ** 2;

/** Bytes of the smallest and largest `--max-item-size`: memcached's. */
export const ITEM_SIZE_MIN = 1024;
export const ITEM_SIZE_MAX: number = 1024 ** 3;

/** Smallest and largest `--disk-limit`: below it LevelDB's own needs would be most of it. */
const DISK_LIMIT_MIN = 128 * 1024 ** 2;
const DISK_LIMIT_MAX = 1024 ** 5;

/** Seconds of the largest `--ephemeral-ttl`: what lives longer deserves a disk. */
const EPHEMERAL_TTL_MAX = 3600;

/** A timer must fit 31 bits of milliseconds; a week is the round number below. */
const INTERVAL_MAX_SECONDS = 604_800;

/** Where items are kept, when they are safe, and when the expired ones go. */
export const storeOptions = {
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
  diskLimit: option<number | undefined>({
    name: 'disk-limit',
    argument: 'size',
    group: STORE,
    type: byteSize(DISK_LIMIT_MIN, DISK_LIMIT_MAX),
    default: undefined,
    unit: 'bytes',
    description: 'bytes that the store may take on disk; items that were not read lately are evicted to stay below',
  }),
  quota: option<readonly QuotaConfig[]>({
    name: 'quota',
    argument: 'prefix=size',
    group: STORE,
    type: quotaList(),
    default: [],
    description: 'bytes that keys and values under a prefix may take; what was not read lately there is evicted to stay below',
  }),
  disableRamTier: option({
    name: 'disable-ram-tier',
    group: STORE,
    type: flag(),
    default: false,
    description: 'keep no items in memory: every read goes to the disk, or to what the system caches of it',
  }),
  disableEvictions: option({
    name: 'disable-evictions',
    short: 'M',
    group: STORE,
    type: flag(),
    default: false,
    description: 'refuse stores at --disk-limit and --quota rather than evict items to make room',
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
    description: 'largest item; k, m and g are understood',
  }),
  ack: option<AckMode>({
    name: 'ack',
    argument: 'when',
    group: STORE,
    type: oneOf(...ACK_MODES),
    default: 'log',
    defaultText: 'log',
    description:
      "when a write is acknowledged: memory = at once, written behind; log = when the operating system has it; sync = after fsync",
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
  autoRepair: option({
    name: 'auto-repair',
    group: STORE,
    type: flag(),
    default: false,
    description: 'mend a store that does not open because it is damaged, and serve what is left; its files are kept aside',
  }),
  ephemeralTtl: option({
    name: 'ephemeral-ttl',
    argument: 'secs',
    group: EXPIRY,
    type: wholeNumber(0, EPHEMERAL_TTL_MAX),
    default: 0,
    defaultText: '0',
    unit: 's',
    description: 'keep items stored for at most so long in memory alone until an orderly stop: a crash loses them; 0 = none',
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
} as const;
