import type { ProtocolMode, ServeConfig, TlsConfig } from '../config.ts';
import { checkTogether, type NameOf } from './check-together.ts';
import type { OptionSpec } from './option.ts';
import { type Layer, type Resolved, usageError } from './resolve.ts';
import { connectionMemoryFor } from './connection-memory.ts';
import { LOG_LEVELS, type LogLevel, serveOptions, type ServeOptions } from './serve-options.ts';

/** What concerns the process around the server, not the server. */
export interface ProcessConfig {
  readonly withExpire: boolean;
  /** True: a store that is damaged is mended at the start. */
  readonly autoRepair: boolean;
  readonly pidfile: string | undefined;
  readonly user: string | undefined;
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
}

/** All that a server was told, and what whoever told it should know. */
export interface ServeSettings {
  readonly server: ServeConfig;
  readonly process: ProcessConfig;
  /** One line each on what was said without effect. */
  readonly notices: readonly string[];
}

/** memcached's variables, which mean the same here. */
const PORT_FILE_VARIABLE = 'MEMCACHED_PORT_FILENAME';
const SASL_FILE_VARIABLE = 'MEMCACHED_SASL_PWDB';

/** What memcached gathers before it encrypts; OpenSSL decides that by itself here. */
const TLS_WRITE_BUFFER = 16 * 1024;

const TLS_VERSIONS = { '1.0': 'TLSv1', '1.1': 'TLSv1.1', '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' } as const satisfies Record<
  ServeOptions['tlsMinVersion']['default'],
  TlsConfig['minVersion']
>;

const STRENGTH: Readonly<Record<Layer, number>> = { 'command line': 3, environment: 2, file: 1, default: 0 };

/** Makes of the options' values what the server and its process are handed. Throws `TUGELA_USAGE`. */
export function settle(resolved: Resolved<ServeOptions>, environment: NodeJS.ProcessEnv, nameOf: NameOf): ServeSettings {
  checkTogether(resolved, nameOf);
  const { values, layerOf } = resolved;
  const logLevel = effectiveLevel(resolved);
  const saslFile = values.enableSasl ? (values.saslFile ?? saslFileFrom(environment, nameOf)) : undefined;
  return {
    server: {
      port: values.port,
      listen: values.listen,
      udpPort: values.udpPort,
      udpLongReplies: values.udpLongReplies,
      socket: values.socket,
      socketMode: values.socketMode,
      file: values.file,
      memory: values.memory,
      ramTier: !values.disableRamTier,
      diskLimit: values.diskLimit,
      quotas: values.quota,
      connections: values.connections,
      connectionMemory: values.connectionMemory ?? connectionMemoryFor(values.memory, values.maxItemSize),
      backlog: values.backlog,
      requestsPerEvent: values.maxRequestsPerEvent,
      idleTimeout: values.idleTimeout,
      protocol: protocolOf(resolved),
      tls: tlsOf(values),
      authFile: values.authFile,
      saslFile,
      cas: !values.disableCas,
      flushAll: !values.disableFlushAll,
      dumping: !values.disableDumping,
      watching: !values.disableWatch,
      shutdown: values.enableShutdown,
      evictions: !values.disableEvictions,
      prefixDelimiter: values.prefixDelimiter,
      detail: layerOf.prefixDelimiter !== 'default',
      trackSizes: values.trackSizes,
      watcherBuffer: values.watcherBuffer,
      portFile: nonEmpty(environment[PORT_FILE_VARIABLE]),
      sync: values.sync,
      ack: values.ack,
      expireEvery: values.expireEvery,
      ephemeralTtl: values.ephemeralTtl,
      maxItemSize: values.maxItemSize,
      control: values.control,
      verbosity: verbosityOf(logLevel),
    },
    process: {
      withExpire: values.withExpire,
      autoRepair: values.autoRepair,
      pidfile: values.pidfile,
      user: values.user,
      logLevel,
      logPretty: values.logPretty,
    },
    notices: noticesOf(resolved, nameOf),
  };
}

/** Passwords fix the protocol that they are for. */
function protocolOf({ values, layerOf }: Resolved<ServeOptions>): ProtocolMode {
  if (layerOf.protocol !== 'default') return values.protocol;
  if (values.authFile !== undefined) return 'ascii';
  return values.enableSasl ? 'binary' : 'auto';
}

function tlsOf(values: Resolved<ServeOptions>['values']): TlsConfig | undefined {
  const { tls, tlsCert, tlsKey } = values;
  // Both are there when TLS is on: checkTogether has seen to it.
  if (!tls || tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    cert: tlsCert,
    key: tlsKey,
    ca: values.tlsCa,
    verify: values.tlsVerify,
    ciphers: values.tlsCiphers,
    minVersion: TLS_VERSIONS[values.tlsMinVersion],
    sessionCache: values.tlsSessionCache,
    writeBuffer: TLS_WRITE_BUFFER,
  };
}

function saslFileFrom(environment: NodeJS.ProcessEnv, nameOf: NameOf): string {
  const path = nonEmpty(environment[SASL_FILE_VARIABLE]);
  if (path !== undefined) return path;
  throw usageError(
    `${nameOf('enableSasl')}: needs a file of user:password lines; name it with ${nameOf('saslFile')} or in ${SASL_FILE_VARIABLE}`,
  );
}

function noticesOf({ values, layerOf }: Resolved<ServeOptions>, nameOf: NameOf): string[] {
  return Object.entries<OptionSpec<unknown>>(serveOptions).flatMap(([name, { ignored }]) => {
    const key = name as keyof ServeOptions;
    // A flag taken back is as good as not given.
    const isGiven = layerOf[key] !== 'default' && values[key] !== false;
    return ignored === undefined || !isGiven ? [] : [`${nameOf(key)} has no effect here: ${ignored}`];
  });
}

/** -v and --log-level say the same thing twice: the stronger layer wins, within one the level. */
function effectiveLevel({ values, layerOf }: Resolved<ServeOptions>): LogLevel {
  if (STRENGTH[layerOf.verbose] <= STRENGTH[layerOf.logLevel]) return values.logLevel;
  if (values.verbose === 0) return values.logLevel;
  return values.verbose === 1 ? 'debug' : 'trace';
}

function verbosityOf(level: LogLevel): number {
  return Math.max(0, LOG_LEVELS.indexOf('info') - LOG_LEVELS.indexOf(level));
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
