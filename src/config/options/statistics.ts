import { option } from '../option.ts';
import { byteSize, flag, formatBytes, keyCharacter } from '../value-type.ts';

const group = 'Statistics:';

const WATCHER_BUFFER_DEFAULT = 256 * 1024;

/** What is counted beyond the usual, and what watchers get. */
export const statisticsOptions = {
  prefixDelimiter: option({
    name: 'prefix-delimiter',
    short: 'D',
    argument: 'char',
    group,
    type: keyCharacter(),
    default: ':',
    defaultText: ':',
    description: "the character that ends a key's prefix in stats detail; giving it starts the counting",
  }),
  trackSizes: option({
    name: 'track-sizes',
    group,
    type: flag(),
    default: false,
    description: 'let stats sizes count items by reading through the store each time',
  }),
  watcherBuffer: option({
    name: 'watcher-buffer',
    argument: 'size',
    group,
    type: byteSize(1024, 1024 ** 3),
    default: WATCHER_BUFFER_DEFAULT,
    defaultText: formatBytes(WATCHER_BUFFER_DEFAULT),
    unit: 'bytes',
    description: 'log lines that may wait for one client of watch; what is more is left out',
  }),
} as const;
