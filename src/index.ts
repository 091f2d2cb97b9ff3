/**
 * tugela-ts as a library: start a server inside a program of your own.
 *
 * @example
 * ```ts
 * import { createLogger, defaultConfig, startServer } from 'tugela-ts';
 *
 * const logger = createLogger({ level: 'info', pretty: false, name: 'my-cache' });
 * const server = await startServer({ ...defaultConfig, port: 0, file: './cache' }, { logger });
 * console.log(server.addresses);
 * await server.stop();
 * ```
 */
import { innerSweep } from '../daemon/inner-sweep.ts';
import type { ServeConfig } from './config.ts';
import { startServer as start, type RunningServer, type StartDeps } from './server/start.ts';

export type { AckMode, ControlMode, ListenAddress, ProtocolMode, QuotaConfig, ServeConfig, TlsConfig } from './config.ts';
export { type ErrorCode, TugelaError } from './errors.ts';
export { createLogger, type Logger } from './log.ts';
export { openOffline } from './offline.ts';
export type { RunningServer } from './server/start.ts';
export type { DueList, DueRow, IndexState, ItemList, ListedItem, ListQuery, ReapReport, SweepTarget } from './upkeep/sweep-target.ts';

/** What `tugela-ts serve` does without options. */
export const defaultConfig: ServeConfig = {
  port: 11211,
  listen: [{ host: '127.0.0.1', port: undefined, security: undefined }],
  udpPort: undefined,
  udpLongReplies: false,
  socket: undefined,
  socketMode: 0o700,
  portFile: undefined,
  connections: 1024,
  connectionMemory: 16 * 2 ** 20,
  backlog: 1024,
  requestsPerEvent: 100,
  idleTimeout: 0,
  protocol: 'auto',
  tls: undefined,
  authFile: undefined,
  saslFile: undefined,
  file: './data',
  memory: 64,
  ramTier: true,
  diskLimit: undefined,
  quotas: [],
  maxItemSize: 2 ** 20,
  sync: 66,
  ack: 'log',
  ephemeralTtl: 0,
  expireEvery: 0,
  cas: true,
  flushAll: true,
  dumping: true,
  watching: true,
  shutdown: false,
  evictions: true,
  prefixDelimiter: ':',
  detail: false,
  trackSizes: false,
  watcherBuffer: 256 * 1024,
  control: 'local',
  verbosity: 0,
};

/**
 * Binds, opens the store, and serves. Sweeps inside the process run when `expireEvery` is not 0 or when
 * a client sends `expire`.
 *
 * @throws TugelaError with code TUGELA_LISTEN or one of TUGELA_STORE_*
 */
export function startServer(config: ServeConfig, deps: Pick<StartDeps, 'logger' | 'afterBind' | 'clock'>): Promise<RunningServer> {
  return start(config, { ...deps, sweep: innerSweep(deps.logger) });
}
