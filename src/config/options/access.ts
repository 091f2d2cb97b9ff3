import { option } from '../option.ts';
import { flag, text } from '../value-type.ts';

const group = 'Passwords and permissions:';

/** Who gets in, and what clients may do. */
export const accessOptions = {
  authFile: option<string | undefined>({
    name: 'auth-file',
    short: 'Y',
    argument: 'path',
    group,
    type: text('a path'),
    default: undefined,
    description: 'file of user:password lines; clients of the text protocol must authenticate, nothing else is spoken',
  }),
  enableSasl: option({
    name: 'enable-sasl',
    short: 'S',
    group,
    type: flag(),
    default: false,
    description: 'clients of the binary protocol must authenticate by SASL, nothing else is spoken',
  }),
  saslFile: option<string | undefined>({
    name: 'sasl-file',
    argument: 'path',
    group,
    type: text('a path'),
    default: undefined,
    description: 'file of user:password lines for --enable-sasl; without it the one that MEMCACHED_SASL_PWDB names',
  }),
  enableShutdown: option({
    name: 'enable-shutdown',
    short: 'A',
    group,
    type: flag(),
    default: false,
    description: 'let clients stop the server with shutdown',
  }),
  disableCas: option({
    name: 'disable-cas',
    short: 'C',
    group,
    type: flag(),
    default: false,
    description: 'show no cas uniques; every cas fails',
  }),
  disableFlushAll: option({
    name: 'disable-flush-all',
    short: 'F',
    group,
    type: flag(),
    default: false,
    description: 'refuse flush_all',
  }),
  disableDumping: option({
    name: 'disable-dumping',
    short: 'X',
    group,
    type: flag(),
    default: false,
    description: 'refuse what lists keys: stats cachedump, stats detail, lru_crawler metadump and mgdump',
  }),
  disableWatch: option({
    name: 'disable-watch',
    short: 'W',
    group,
    type: flag(),
    default: false,
    description: 'refuse watch',
  }),
} as const;
