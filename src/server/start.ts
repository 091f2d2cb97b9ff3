import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { type Clock, HeldClock, systemClock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import { TugelaError } from '../errors.ts';
import { isOpenToOthers } from '../store/directory.ts';
import { DiskBudget } from '../upkeep/disk-budget.ts';
import type { Sweep } from '../upkeep/upkeep.ts';
import { packageVersion } from '../version.ts';
import { AuthDialect } from './auth-dialect.ts';
import { Clients } from './clients.ts';
import type { ConnectionContext } from './connection.ts';
import { createContext } from './create-context.ts';
import { Credentials } from './credentials.ts';
import { exposures } from './exposure.ts';
import { Listeners } from './listeners.ts';
import { MemoryLimit } from './memory-limit.ts';
import { type Mend, openCache } from './open-cache.ts';
import type { ServerParts } from './server-parts.ts';
import { Verbosity } from './verbosity.ts';
import { WatchHub } from './watch-hub.ts';
import { wireUpkeep } from './wire-upkeep.ts';
import { SLICE_MS, SlicedQueue } from '../sliced-queue.ts';

export interface StartDeps {
  readonly logger: Logger;
  /** Called once, after all sockets are bound and before the store is opened or a client accepted. */
  readonly afterBind?: () => void;
  /** One sweep of the TTL index. */
  readonly sweep: Sweep;
  readonly clock?: Clock;
  /** Mends a store that does not open because it is damaged; without it, that is an error. */
  readonly mend?: Mend | undefined;
}

/** A server that accepts clients. */
export interface RunningServer {
  /** Where it listens, with the ports the system chose: "127.0.0.1:11211", "[::1]:11211", "unix:/path". */
  readonly addresses: readonly string[];
  /** Never settles unless the server breaks in a way it cannot mend. */
  readonly failed: Promise<Error>;
  /** Settles when a client asks for an orderly end: who. */
  readonly stopRequested: Promise<string>;
  /** Reads the files of passwords and certificates again; what is wrong with them is logged, and the old ones stay. */
  reload(): void;
  /** Stops accepting, finishes requests in hand, commits, fsyncs and closes. */
  stop(): Promise<void>;
}

/**
 * Binds, opens the store, and serves.
 *
 * @throws TugelaError TUGELA_LISTEN, TUGELA_USAGE for files of passwords and certificates, and those of Store.open
 */
export async function startServer(config: ServeConfig, deps: StartDeps): Promise<RunningServer> {
  const { logger } = deps;
  const clock = new HeldClock(deps.clock ?? systemClock);
  const credentials = new Credentials(config, logger);
  const verbosity = new Verbosity(logger, config.verbosity);
  const clients = new Clients(config, { logger, clock, verbosity });
  const listeners = new Listeners(config, {
    logger,
    tls: credentials.tls,
    nextId: () => clients.nextId(),
    onSocket: (listener, socket, setReader) => clients.came(listener, socket, setReader),
    onDatagram: (datagram) => clients.answer(datagram),
  });
  // Before `afterBind`, which may give the right to read them away.
  await credentials.load();
  await listeners.open();
  try {
    deps.afterBind?.();
    return await openAndServe({ config, logger, clock, credentials, verbosity, clients, listeners }, deps);
  } catch (error) {
    listeners.close();
    throw error;
  }
}

/** What there is before the store is opened. */
type FrontParts = Pick<ServerParts, 'config' | 'logger' | 'clock' | 'credentials' | 'verbosity' | 'clients' | 'listeners'>;

/** The second half of the start, behind sockets that are bound. */
async function openAndServe(front: FrontParts, { sweep, mend }: StartDeps): Promise<RunningServer> {
  const { config, logger, clock, credentials, clients, listeners } = front;
  const started = performance.now();
  const memory = new MemoryLimit(config);
  const budget = config.diskLimit === undefined ? undefined : new DiskBudget(config.diskLimit);
  const line = new SlicedQueue(SLICE_MS);
  const { store, cache } = await openCache(config, { logger, clock, memory, budget, mend, line });
  const watch = new WatchHub(cache, { bufferBytes: config.watcherBuffer });
  const { upkeep, quotas } = await wireUpkeep(config, { cache, store, logger, sweep, watch, budget });
  let requestStop: (why: string) => void = () => {};
  const stopRequested = new Promise<string>((settle) => (requestStop = settle));
  const parts: ServerParts = { ...front, memory, store, cache, watch, line, upkeep, quotas, requestStop };
  const context = createContext(parts);
  // After `afterBind`: as the server will read it.
  void credentials.sasl?.check();
  upkeep.start();
  const server = new TugelaServer(parts, context, stopRequested);
  logger.info(
    {
      version: packageVersion(),
      addresses: server.addresses,
      directory: resolve(config.file),
      items: store.state.items,
      bytes: store.state.bytes,
      openMs: Math.round(performance.now() - started),
    },
    'serving',
  );
  if (await isOpenToOthers(config.file)) logger.warn(`store directory ${resolve(config.file)} is open to every user of this machine`);
  for (const warning of exposures(listeners.all, config)) logger.warn(warning);
  const { passwords, attempts } = credentials;
  clients.serve({ context, watch, auth: passwords === undefined ? undefined : new AuthDialect(passwords, attempts) });
  return server;
}

class TugelaServer implements RunningServer {
  readonly failed: Promise<Error>;
  readonly stopRequested: Promise<string>;
  readonly #parts: ServerParts;
  readonly #context: ConnectionContext;
  #stopping: Promise<void> | undefined;

  constructor(parts: ServerParts, context: ConnectionContext, stopRequested: Promise<string>) {
    this.#parts = parts;
    this.#context = context;
    this.stopRequested = stopRequested;
    this.failed = new Promise((fail) => {
      for (const { server, address } of parts.listeners.all) {
        server?.on('error', (error) => parts.logger.error({ err: error, address }, 'accepting a connection failed'));
        server?.on('close', () => {
          if (this.#stopping === undefined) fail(new TugelaError('TUGELA_LISTEN', `Cannot listen on ${address} any more`));
        });
      }
    });
  }

  get addresses(): readonly string[] {
    return this.#parts.listeners.all.map(({ address }) => address);
  }

  reload(): void {
    this.#parts.credentials.reload();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Nobody new, then nothing new of those who are there, then the work behind them, then the store. */
  async #stop(): Promise<void> {
    const { listeners, clients, upkeep, store, logger } = this.#parts;
    listeners.close();
    await clients.finish();
    this.#context.memory.stop();
    await upkeep.stop();
    await store.close();
    listeners.removeFiles();
    logger.info('stopped');
  }
}
