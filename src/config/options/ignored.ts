import { option } from '../option.ts';
import { flag, wholeNumber } from '../value-type.ts';

const group = 'No effect:';

/** memcached's options for threads and raw memory, of which there is nothing here to tune. */
export const ignoredOptions = {
  threads: option<number | undefined>({
    name: 'threads',
    short: 't',
    argument: 'num',
    group,
    type: wholeNumber(1, 1_000_000),
    default: undefined,
    description: 'threads',
    ignored: 'all requests are executed by one thread',
  }),
  enableLargepages: option({
    name: 'enable-largepages',
    short: 'L',
    group,
    type: flag(),
    default: false,
    description: 'large memory pages',
    ignored: "memory comes from Node, in pages of the system's choice",
  }),
  slabMinSize: option<number | undefined>({
    name: 'slab-min-size',
    short: 'n',
    argument: 'bytes',
    group,
    type: wholeNumber(1, 1_000_000_000),
    default: undefined,
    description: 'smallest chunk',
    ignored: 'items are not kept in chunks of fixed size',
  }),
  lockMemory: option({
    name: 'lock-memory',
    short: 'k',
    group,
    type: flag(),
    default: false,
    description: 'keep all memory from being paged out',
    ignored: 'Node cannot lock memory; items are on disk anyway',
  }),
} as const;
