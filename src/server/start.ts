import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { Cache } from '../cache/cache.ts';
import { opName } from '../cache/command.ts';
import { Residency } from '../cache/residency.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { lines } from '../protocol/lines.ts';
import { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { AccessTable } from '../ram/access-table.ts';
import { RamTier } from '../ram/ram-tier.ts';
import { Store } from '../store/store.ts';
import { BLOCK_CACHE_SHARE } from '../store/tuning.ts';
import { type Sweep, Upkeep } from '../upkeep/upkeep.ts';
import { packageVersion, protocolVersion } from '../version.ts';
import { createAcceptor, type OnRead } from './accept.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { BinaryDialect } from './binary-dialect.ts';
import { Control } from './control.ts';
import type { Administration } from './dialect.ts';
import { Stats } from './stats.ts';
import { TextDialect } from './text-dialect.ts';

/** Keys of one command that -vv logs. */
const KEYS_LOGGED = 16;
/** Share of `--memory` that remembers when keys were asked for. */
const ACCESS_SHARE = 1 / 64;
/** Connections the kernel queues while the process is busy. */
const BACKLOG = 1024;
/** Milliseconds that connections get to finish what they have in hand when the server stops. */
const FINISH_MS = 5000;
/** Milliseconds between two looks whether connections have finished. */
const FINISH_LOOK_MS = 20;

export interface StartDeps {
  readonly logger: Logger;
  /** Called once, after all sockets are bound and before the store is opened or a client accepted. */
  readonly afterBind?: () => void;
  /** One sweep of the TTL index. */
  readonly sweep: Sweep;
  readonly clock?: Clock;
}

/** A server that accepts clients. */
export interface RunningServer {
  /** Where it listens, with the ports the system chose: "127.0.0.1:11211", "[::1]:11211", "unix:/path". */
  readonly addresses: readonly string[];
  /** Never settles unless the server breaks in a way it cannot mend. */
  readonly failed: Promise<Error>;
  /** Stops accepting, finishes requests in hand, commits, fsyncs and closes. */
  stop(): Promise<void>;
}

interface Listener {
  readonly server: Server;
  /** For people and scripts. */
  readonly address: string;
  /** For `stats conns`. */
  readonly statsAddress: string;
  readonly isUnix: boolean;
}

/**
 * Binds, opens the store, and serves.
 *
 * @throws TugelaError TUGELA_LISTEN, and those of Store.open
 */
export async function startServer(config: ServeConfig, deps: StartDeps): Promise<RunningServer> {
  const server = new TugelaServer(config, deps);
  await server.start();
  return server;
}

class TugelaServer implements RunningServer {
  readonly failed: Promise<Error>;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #deps: StartDeps;
  readonly #clock: Clock;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Connection>();
  readonly #early: (() => void)[] = [];
  readonly #counts = { current: 0, total: 0, rejected: 0, startedAt: 0 };
  #fail: (error: Error) => void = () => {};
  #store: Store | undefined;
  #upkeep: Upkeep | undefined;
  #context: ConnectionContext | undefined;
  #verbosity: number;
  /** The log level at verbosity 0. */
  readonly #quietLevel: string;
  #nextId = 1;
  #stopping: Promise<void> | undefined;

  constructor(config: ServeConfig, deps: StartDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#logger = deps.logger;
    this.#clock = deps.clock ?? systemClock;
    this.#verbosity = config.verbosity;
    this.#quietLevel = config.verbosity > 0 ? 'info' : deps.logger.level;
    this.#counts.startedAt = this.#clock.now();
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  get addresses(): readonly string[] {
    return this.#listeners.map(({ address }) => address);
  }

  async start(): Promise<void> {
    try {
      await this.#bind();
      this.#deps.afterBind?.();
      await this.#open();
    } catch (error) {
      for (const { server } of this.#listeners) server.close();
      throw error;
    }
    for (const accept of this.#early.splice(0)) accept();
    for (const { server, address } of this.#listeners) {
      server.on('error', (error) => this.#logger.error({ err: error, address }, 'accepting a connection failed'));
      server.on('close', () => {
        if (this.#stopping === undefined) this.#fail(new TugelaError('TUGELA_LISTEN', `Cannot listen on ${address} any more`));
      });
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #open(): Promise<void> {
    const config = this.#config;
    const started = performance.now();
    const bytes = config.memory * 2 ** 20;
    const blockCacheBytes = Math.floor(bytes * BLOCK_CACHE_SHARE);
    let residency: Residency | undefined;
    const store = await Store.open(config.file, {
      blockCacheBytes,
      syncEveryBatch: config.ack === 'sync',
      onFailed: (keys) => residency?.forget(keys),
      onDamaged: (where) => this.#logger.warn({ where }, 'damaged on disk: answered as a miss'),
    });
    this.#store = store;
    const accessBytes = Math.floor(bytes * ACCESS_SHARE);
    residency = new Residency(store, new RamTier(bytes - blockCacheBytes - accessBytes));
    const cache = new Cache(store, residency, new AccessTable(accessBytes), this.#clock, config.maxItemSize);
    const upkeep = new Upkeep({
      cache,
      store,
      logger: this.#logger,
      syncEvery: config.sync,
      expireEvery: config.expireEvery,
      sweep: this.#deps.sweep,
    });
    this.#upkeep = upkeep;
    const control = new Control(config.control, upkeep.target, () => upkeep.startSweep());
    const traffic = { bytesRead: 0, bytesWritten: 0 };
    const version = packageVersion();
    const stats = new Stats({
      config,
      version: protocolVersion(),
      cache,
      store,
      traffic,
      connections: this.#counts,
      sessions: () => this.#connections,
      listeners: () => this.#listeners.map(({ statsAddress }) => statsAddress),
      blockCacheBytes,
      verbosity: () => this.#verbosity,
      expiry: () => upkeep.target.reported,
      expiryAge: () => upkeep.target.reportAge,
      upkeep: () => upkeep.stats(),
      now: () => this.#clock.now(),
    });
    const administration: Administration = {
      version: protocolVersion(),
      stats: (words) => stats.answer(words),
      expire: (words, session) => control.answer(words, session),
      sync: () => store.sync(),
      setVerbosity: (level) => this.#setVerbosity(level),
    };
    this.#context = {
      cache,
      store,
      text: new TextDialect(cache, administration),
      binary: new BinaryDialect(cache, administration),
      out: new ReplyBuffer(),
      ackFromMemory: config.ack === 'memory',
      traffic,
      nowSeconds: () => this.#clock.now(),
      trace: undefined,
      onClose: (connection) => this.#forget(connection),
      onFault: (connection, error) => this.#logger.error({ err: error, connection: connection.id }, 'command failed'),
    };
    this.#setTracing();
    upkeep.start();
    this.#logger.info(
      {
        version,
        addresses: this.addresses,
        directory: resolve(config.file),
        items: store.state.items,
        bytes: store.state.bytes,
        openMs: Math.round(performance.now() - started),
      },
      'serving',
    );
  }

  async #bind(): Promise<void> {
    const { listen, port, socket, socketMode } = this.#config;
    let chosen = port;
    for (const host of listen) {
      const listener = await this.#listen(host, chosen);
      this.#listeners.push(listener);
      // The same free port on every address.
      const bound = listener.server.address();
      if (chosen === 0 && bound !== null && typeof bound === 'object') chosen = bound.port;
    }
    if (socket === undefined) return;
    await removeStaleSocket(socket);
    const server = this.#acceptor(true, `unix:${socket}`);
    await listening(server, () => server.listen({ path: socket, backlog: BACKLOG }), socket);
    chmodSync(socket, socketMode);
    this.#listeners.push({ server, address: `unix:${socket}`, statsAddress: `unix:${socket}`, isUnix: true });
  }

  async #listen(host: string, port: number): Promise<Listener> {
    let statsAddress = '';
    const server = this.#acceptor(false, () => statsAddress);
    await listening(server, () => server.listen({ host, port, backlog: BACKLOG }), `${host}:${port}`);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new TugelaError('TUGELA_LISTEN', `Cannot listen on ${host}:${port}`);
    const isV6 = bound.family === 'IPv6';
    const address = isV6 ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
    statsAddress = `${isV6 ? 'tcp6' : 'tcp'}:${address}`;
    return { server, address, statsAddress, isUnix: false };
  }

  #acceptor(isUnix: boolean, listener: string | (() => string)): Server {
    return createAcceptor((socket, setReader) => {
      const accept = (): void => this.#accept(socket, setReader, isUnix, typeof listener === 'string' ? listener : listener());
      if (this.#context === undefined) this.#early.push(accept);
      else accept();
    });
  }

  #accept(socket: Socket, setReader: (onRead: OnRead) => void, isUnix: boolean, listener: string): void {
    const context = this.#context!;
    // A client that came early may be gone again.
    if (socket.destroyed) return;
    this.#counts.total++;
    if (this.#counts.current >= this.#config.connections || this.#stopping !== undefined) {
      this.#counts.rejected++;
      socket.on('error', () => {});
      socket.end(lines.tooManyConnections);
      socket.destroySoon();
      return;
    }
    this.#counts.current++;
    const { remoteAddress, remotePort, remoteFamily } = socket;
    const isV6 = remoteFamily === 'IPv6';
    const peer = isUnix ? listener : isV6 ? `tcp6:[${remoteAddress}]:${remotePort}` : `tcp:${remoteAddress}:${remotePort}`;
    const connection = new Connection(socket, this.#nextId++, peer, listener, isUnix || isLoopback(remoteAddress), context);
    this.#connections.add(connection);
    if (this.#verbosity >= 2) this.#logger.trace({ connection: connection.id, peer }, 'connected');
    setReader((bytes, length) => connection.read(bytes, length));
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#counts.current--;
    if (this.#verbosity >= 2) this.#logger.trace({ connection: connection.id }, 'disconnected');
  }

  #setVerbosity(level: number): void {
    this.#verbosity = Math.min(level, 2);
    const levels = [this.#quietLevel, 'debug', 'trace'] as const;
    this.#logger.level = levels[this.#verbosity]!;
    this.#setTracing();
  }

  /** With -vv each command is logged with its keys; never a value. */
  #setTracing(): void {
    if (this.#context === undefined) return;
    this.#context.trace =
      this.#verbosity < 2
        ? undefined
        : (connection, command) => {
            const keys: string[] = [];
            for (let i = 0; i < Math.min(command.keyCount, KEYS_LOGGED); i++) {
              keys.push(command.buffer.toString('latin1', command.keyStarts[i], command.keyEnds[i]));
            }
            this.#logger.trace({ connection: connection.id, command: opName(command.op), keys }, 'command');
          };
  }

  async #stop(): Promise<void> {
    for (const { server } of this.#listeners) server.close();
    const end = performance.now() + FINISH_MS;
    for (const connection of this.#connections) connection.finish();
    // Idle clients need not close their side: many never read what ends them before they send again.
    do {
      await new Promise((resolve) => setTimeout(resolve, FINISH_LOOK_MS));
    } while ([...this.#connections].some(({ isIdle }) => !isIdle) && performance.now() < end);
    for (const connection of this.#connections) connection.destroy();
    await this.#upkeep?.stop();
    await this.#store?.close();
    for (const { address, isUnix } of this.#listeners) {
      if (isUnix) removeSocket(address.slice('unix:'.length), this.#logger);
    }
    this.#logger.info('stopped');
  }
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === '::1' || /^(::ffff:)?127\./.test(address));
}

function reasonOf(cause: Error): string {
  switch (systemCodeOf(cause)) {
    case 'EADDRINUSE':
      return 'the address is in use, perhaps by another server';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address';
    case 'EACCES':
      return 'not permitted (ports below 1024 need root)';
    default:
      return messageOf(cause);
  }
}

/** Resolves when a server listens. */
function listening(server: Server, listen: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new TugelaError('TUGELA_LISTEN', `Cannot listen on ${where}: ${reasonOf(cause)}`, { cause })),
    );
    server.once('listening', resolve);
    listen();
  });
}

/** Removes our socket file. After a change of user its directory may be closed to us: the next start clears it. */
function removeSocket(path: string, logger: Logger): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') logger.debug({ err: error, path }, 'socket file left behind');
  }
}

/** Removes a socket file that nobody listens on any more. A living one, or another kind of file, is left alone. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (!lstatSync(path).isSocket()) {
    throw new TugelaError('TUGELA_LISTEN', `Cannot listen on ${path}: it exists and is not a socket`);
  }
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (isAlive) throw new TugelaError('TUGELA_LISTEN', `Cannot listen on ${path}: another process listens there`);
  unlinkSync(path);
}
