import { accessOptions } from './options/access.ts';
import { ignoredOptions } from './options/ignored.ts';
import { networkOptions } from './options/network.ts';
import { processOptions } from './options/process.ts';
import { statisticsOptions } from './options/statistics.ts';
import { storeOptions } from './options/store.ts';
import { tlsOptions } from './options/tls.ts';

export { LOG_LEVELS, type LogLevel } from './options/process.ts';

/** Everything `tugela-ts serve` can be told, except where its configuration file is. */
export const serveOptions = {
  ...networkOptions,
  ...accessOptions,
  ...tlsOptions,
  ...storeOptions,
  ...statisticsOptions,
  ...processOptions,
  ...ignoredOptions,
} as const;

/** The values of `serveOptions`, defaults applied. */
export type ServeOptions = typeof serveOptions;
