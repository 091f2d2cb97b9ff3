import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import type { AuthCounts } from '../auth/auth-counts.ts';
import { PasswordFile } from '../auth/password-file.ts';
import { SaslAuthority } from '../auth/sasl.ts';
import { Cache } from '../cache/cache.ts';
import { opName } from '../cache/command.ts';
import { QuotaStats } from '../cache/quota-counts.ts';
import { Residency } from '../cache/residency.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import { TugelaError } from '../errors.ts';
import { lines } from '../protocol/lines.ts';
import { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { AccessTable } from '../ram/access-table.ts';
import { RamTier } from '../ram/ram-tier.ts';
import { ReadSketch } from '../ram/read-sketch.ts';
import type { EphemeralOptions } from '../store/ephemeral-items.ts';
import { Store, type StoreOptions } from '../store/store.ts';
import { BLOCK_CACHE_SHARE } from '../store/tuning.ts';
import { DiskBudget } from '../upkeep/disk-budget.ts';
import { Evictor } from '../upkeep/evictor.ts';
import type { Evicted, GiveUpDeps } from '../upkeep/give-up.ts';
import { QuotaKeeper } from '../upkeep/quota-keeper.ts';
import { Quotas } from '../upkeep/quotas.ts';
import { SizeHistogram } from '../upkeep/size-histogram.ts';
import { type Sweep, Upkeep } from '../upkeep/upkeep.ts';
import { packageVersion, protocolVersion } from '../version.ts';
import type { OnRead } from './accept.ts';
import { Admin } from './admin.ts';
import { AuthDialect } from './auth-dialect.ts';
import { BinaryDialect } from './binary-dialect.ts';
import { Connection, type ConnectionContext, type Traffic } from './connection.ts';
import { ConnectionMemory } from './connection-memory.ts';
import { Control } from './control.ts';
import type { Datagram } from './datagram.ts';
import type { Administration, Dialect } from './dialect.ts';
import { Dump } from './dump.ts';
import { FaultLog } from './fault-log.ts';
import { HotKeys, type LengthOf } from './hot-keys.ts';
import { exposures } from './exposure.ts';
import { isLoopback, type Listener, Listeners, peerOf } from './listeners.ts';
import type { Session } from './session.ts';
import { SnapshotDump } from './snapshot.ts';
import { Stats } from './stats/stats.ts';
import { TextDialect } from './text-dialect.ts';
import type { TlsCounts } from './tls-accept.ts';
import { TlsFiles } from './tls-files.ts';
import { parseWatchWords, WatchHub } from './watch-hub.ts';

/** Keys of one command that -vv logs. */
const KEYS_LOGGED = 16;
/** Share of `--memory` that remembers when keys were asked for. */
const ACCESS_SHARE = 1 / 64;
/** Share of `--memory` for items that are in memory alone, and the most of it: lists go through all of them. */
const EPHEMERAL_SHARE = 1 / 16;
const EPHEMERAL_BYTES_MAX = 64 * 2 ** 20;
/** Milliseconds that connections get to finish what they have in hand when the server stops. */
const FINISH_MS = 5000;
/** Milliseconds between two looks for idle connections. */
const IDLE_LOOK_MS = 1000;
/** Milliseconds between two looks whether connections have finished. */
const FINISH_LOOK_MS = 20;

export interface StartDeps {
  readonly logger: Logger;
  /** Called once, after all sockets are bound and before the store is opened or a client accepted. */
  readonly afterBind?: () => void;
  /** One sweep of the TTL index. */
  readonly sweep: Sweep;
  readonly clock?: Clock;
  /** Mends a store that does not open because it is damaged; without it, that is an error. */
  readonly mend?: ((directory: string, damage: TugelaError) => Promise<void>) | undefined;
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
 * @throws TugelaError TUGELA_LISTEN, and those of Store.open
 */
export async function startServer(config: ServeConfig, deps: StartDeps): Promise<RunningServer> {
  const server = new TugelaServer(config, deps);
  await server.start();
  return server;
}

class TugelaServer implements RunningServer {
  readonly failed: Promise<Error>;
  readonly stopRequested: Promise<string>;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #deps: StartDeps;
  readonly #clock: Clock;
  readonly #listeners: Listeners;
  readonly #connections = new Set<Connection>();
  readonly #early: (() => void)[] = [];
  readonly #counts = { current: 0, total: 0, rejected: 0, idleKicks: 0, startedAt: 0 };
  readonly #tls: { readonly files: TlsFiles; readonly counts: TlsCounts } | undefined;
  #fail: (error: Error) => void = () => {};
  #requestStop: (why: string) => void = () => {};
  #watch: WatchHub | undefined;
  #connectionMemory: ConnectionMemory | undefined;
  /** Of the text protocol, if clients of it must authenticate. */
  readonly #passwords: PasswordFile | undefined;
  /** What they speak before they have. */
  #auth: AuthDialect | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  /** MB. */
  #memory: number;
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
    this.#memory = config.memory;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.stopRequested = new Promise((resolve) => {
      this.#requestStop = resolve;
    });
    this.#tls =
      config.tls === undefined
        ? undefined
        : { files: new TlsFiles(config.tls), counts: { handshakeErrors: 0, protocolErrors: 0, newSessions: 0 } };
    this.#passwords = config.authFile === undefined ? undefined : new PasswordFile(config.authFile);
    this.#listeners = new Listeners(config, {
      logger: deps.logger,
      tls: this.#tls,
      nextId: () => this.#nextId++,
      onSocket: (listener, socket, setReader) => this.#came(listener, socket, setReader),
      onDatagram: (datagram) => this.#answerDatagram(datagram),
    });
  }

  get addresses(): readonly string[] {
    return this.#listeners.all.map(({ address }) => address);
  }

  async start(): Promise<void> {
    await this.#tls?.files.load();
    await this.#passwords?.reload();
    if (this.#passwords?.warning !== undefined) this.#logger.warn(this.#passwords.warning);
    await this.#listeners.open();
    try {
      this.#deps.afterBind?.();
      await this.#open();
    } catch (error) {
      this.#listeners.close();
      throw error;
    }
    for (const warning of exposures(this.#listeners.all, this.#config)) this.#logger.warn(warning);
    for (const accept of this.#early.splice(0)) accept();
    for (const { server, address } of this.#listeners.all) {
      server?.on('error', (error) => this.#logger.error({ err: error, address }, 'accepting a connection failed'));
      server?.on('close', () => {
        if (this.#stopping === undefined) this.#fail(new TugelaError('TUGELA_LISTEN', `Cannot listen on ${address} any more`));
      });
    }
    if (this.#config.idleTimeout > 0) {
      this.#idleTimer = setInterval(() => this.#kickIdle(), IDLE_LOOK_MS);
      this.#idleTimer.unref();
    }
  }

  reload(): void {
    if (this.#tls !== undefined) void this.#refreshCertificates();
    this.#passwords?.reload().then(
      () => {
        this.#logger.info('passwords read again');
        if (this.#passwords?.warning !== undefined) this.#logger.warn(this.#passwords.warning);
      },
      (error: unknown) => this.#logger.error({ err: error }, 'passwords not read again, the old ones stay'),
    );
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
    const ephemeral = ephemeralOptions(config, this.#clock);
    const budget = config.diskLimit === undefined ? undefined : new DiskBudget(config.diskLimit);
    const options: StoreOptions = {
      blockCacheBytes,
      ephemeral,
      segmentBytes: budget?.segmentBytes,
      writeBufferBytes: budget?.writeBufferBytes,
      tableBytes: budget?.tableBytes,
      countedPrefixes: config.quotas.map(({ prefix }) => prefix),
      syncEveryBatch: config.ack === 'sync',
      onFailed: (keys) => residency?.forget(keys),
      onDamaged: (where) => this.#logger.warn({ where }, 'damaged on disk: answered as a miss'),
      onLogCut: (cut) => this.#logger.warn(cut, "the end of LevelDB's log is left out: a crash or a power failure cut it off"),
    };
    const store = await this.#openOrMend(options);
    this.#store = store;
    const accessBytes = Math.floor(bytes * ACCESS_SHARE);
    const fixedBytes = blockCacheBytes + accessBytes + (ephemeral?.limitBytes ?? 0);
    residency = new Residency(store, new RamTier(config.ramTier ? bytes - fixedBytes : 0));
    const cache = new Cache(store, residency, new AccessTable(accessBytes), this.#clock, config.maxItemSize, {
      cas: config.cas,
      prefixDelimiter: config.prefixDelimiter,
      detail: config.detail,
    });
    const watch = new WatchHub(cache, { bufferBytes: config.watcherBuffer });
    this.#watch = watch;
    const evicting = budget === undefined && config.quotas.length === 0 ? undefined : evictionDeps(cache, store, watch);
    const evictor = budget === undefined || evicting === undefined ? undefined : new Evictor({ ...evicting, budget });
    const quotas = config.quotas.length === 0 || evicting === undefined ? undefined : new QuotaKeeper({ ...evicting, quotas: new Quotas(store, config.quotas) }, this.#logger);
    const upkeep = new Upkeep({
      cache,
      store,
      logger: this.#logger,
      syncEvery: config.sync,
      expireEvery: config.expireEvery,
      sweep: this.#deps.sweep,
      evictor,
      quotas,
      evicts: config.evictions,
    });
    this.#upkeep = upkeep;
    if (quotas !== undefined) cache.hasQuota = (key, growth) => quotas.limits.hasRoom(key, growth);
    if (evictor !== undefined) {
      await evictor.measure(true);
      cache.hasRoom = (bytes) => upkeep.hasRoom(bytes);
      cache.holdForRoom = (bytes, done) => upkeep.holdForRoom(bytes, done);
    }
    const hotKeys = new HotKeys(lengthsIn(residency), (isOn) => {
      if (this.#context !== undefined) this.#context.sample = isOn ? (command) => hotKeys.note(command) : undefined;
    });
    const snapshots = new SnapshotDump(cache, store);
    const control = new Control(config.control, upkeep.target, () => upkeep.startSweep(), {
      deletePrefix: (prefix) => upkeep.deletePrefix(prefix),
      prefixJobs: () => upkeep.prefixJobs(),
      hotKeys: () => hotKeys.ask(),
      dump: (prefix) => snapshots.stream(prefix),
    });
    const dump = new Dump(cache, store);
    const auth: AuthCounts = { commands: 0, errors: 0 };
    this.#auth = this.#passwords === undefined ? undefined : new AuthDialect(this.#passwords, auth);
    const admin = new Admin({
      shutdown: config.shutdown,
      dumping: config.dumping,
      watching: config.watching,
      mayControl: (session) => control.isAllowed(session),
      stop: (why) => this.#requestStop(why),
      setMemory: (megabytes) => this.#setMemory(megabytes, cache, fixedBytes),
      refreshCertificates: () => this.#refreshCertificates(),
      startSweep: () => upkeep.startSweep(),
      metadump: () => dump.metadump(),
      mgdump: () => dump.mgdump(),
      watch: (words, session) => addWatcher(watch, words, session),
    });
    const traffic: Traffic = { bytesRead: 0, bytesWritten: 0, yields: 0 };
    const memory = new ConnectionMemory(config.connectionMemory, () => this.#connections, (closed) =>
      this.#logger.warn({ closed, limit: config.connectionMemory }, 'memory for connections is used up, closed those that hold most'),
    );
    this.#connectionMemory = memory;
    const version = packageVersion();
    const stats = new Stats({
      config,
      version: protocolVersion(),
      cache,
      store,
      traffic,
      connections: this.#counts,
      sessions: () => this.#connections,
      listeners: () => this.#listeners.all.map(({ id, statsAddress }) => ({ id, address: statsAddress })),
      memory: () => this.#memory,
      watch,
      tls: this.#tls,
      auth,
      crawler: () => admin.crawler,
      sweeps: () => upkeep.sweeps,
      cachedump: (limit) => dump.cachedump(limit),
      quotas: quotas?.limits.all ?? [],
      sizes: new SizeHistogram(cache, store),
      blockCacheBytes,
      verbosity: () => this.#verbosity,
      expiry: () => upkeep.target.reported,
      expiryAge: () => upkeep.target.reportAge,
      deadRowBytes: () => upkeep.deadRowBytes(),
      upkeep: () => upkeep.stats(),
      loop: upkeep.loop,
      connectionMemory: memory,
      now: () => this.#clock.now(),
    });
    const faults = new FaultLog(this.#logger);
    const administration: Administration = {
      version: protocolVersion(),
      flushAllowed: config.flushAll,
      stats: (words) => stats.answer(words),
      expire: (words, session) => control.answer(words, session),
      command: (words, session) => admin.answer(words, session),
      sync: () => store.sync(),
      setVerbosity: (level) => this.#setVerbosity(level),
    };
    this.#context = {
      cache,
      store,
      text: new TextDialect(cache, administration),
      binary: new BinaryDialect(cache, administration, this.#sasl(auth)),
      out: new ReplyBuffer(),
      ackFromMemory: config.ack === 'memory',
      traffic,
      memory,
      requestsPerEvent: config.requestsPerEvent,
      nowSeconds: () => this.#clock.now(),
      turn: ({ id }) => (watch.current = id),
      trace: undefined,
      sample: undefined,
      onClose: (connection) => this.#forget(connection),
      onFault: (connection, error) => faults.note(connection.id, error),
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

  async #openOrMend(options: StoreOptions): Promise<Store> {
    const { file } = this.#config;
    try {
      return await Store.open(file, options);
    } catch (error) {
      const { mend } = this.#deps;
      if (mend === undefined || !(error instanceof TugelaError) || error.code !== 'TUGELA_STORE_CORRUPT') throw error;
      await mend(file, error);
      return await Store.open(file, options);
    }
  }

  #sasl(counts: AuthCounts): SaslAuthority | undefined {
    const { saslFile } = this.#config;
    // Realms are Cyrus' way to write users.
    if (saslFile === undefined) return undefined;
    const sasl = new SaslAuthority(new PasswordFile(saslFile, true), counts, this.#logger);
    void sasl.check();
    return sasl;
  }

  #came(listener: Listener, socket: Socket, setReader: (onRead: OnRead) => void): void {
    if (this.#context === undefined) this.#early.push(() => this.#accept(listener, socket, setReader));
    else this.#accept(listener, socket, setReader);
  }

  #accept(listener: Listener, socket: Socket, setReader: (onRead: OnRead) => void): void {
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
    const isUnix = listener.transport === 'local';
    const connection = new Connection(
      socket,
      {
        id: this.#nextId++,
        peer: isUnix ? listener.statsAddress : peerOf(socket),
        listener: listener.statsAddress,
        transport: listener.transport,
        isLocal: isUnix || isLoopback(socket.remoteAddress),
        isEncrypted: listener.isEncrypted,
        dialect: this.#firstDialect(context),
      },
      context,
    );
    this.#connections.add(connection);
    this.#watch?.connected(connection);
    if (this.#verbosity >= 2) this.#logger.trace({ connection: connection.id, peer: connection.peer }, 'connected');
    setReader((bytes, length) => connection.read(bytes, length));
  }

  /** What a connection must speak at first; undefined = it chooses. */
  #firstDialect({ text, binary }: ConnectionContext): Dialect | undefined {
    if (this.#auth !== undefined) return this.#auth;
    switch (this.#config.protocol) {
      case 'auto':
        return undefined;
      case 'ascii':
        return text;
      case 'binary':
        return binary;
    }
  }

  #answerDatagram(datagram: Datagram): void {
    const context = this.#context;
    if (context === undefined || this.#stopping !== undefined) return;
    const { reply, peer, listener, isLocal, bytes } = datagram;
    const { text, binary } = context;
    const dialect = { auto: undefined, ascii: text, binary }[this.#config.protocol];
    const connection = new Connection(reply, { id: this.#nextId++, peer, listener, transport: 'udp', isLocal, isEncrypted: false, dialect }, context);
    connection.read(bytes, bytes.length);
    connection.finish();
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#counts.current--;
    this.#watch?.remove(connection);
    this.#watch?.disconnected(connection, connection.closeReason);
    if (this.#verbosity >= 2) this.#logger.trace({ connection: connection.id }, 'disconnected');
  }

  /** Closes TCP connections that have said nothing for too long. */
  #kickIdle(): void {
    const before = this.#clock.now() - this.#config.idleTimeout;
    for (const connection of this.#connections) {
      if (connection.transport !== 'tcp' || connection.lastCommandAt >= before || !connection.isBetweenCommands) continue;
      this.#counts.idleKicks++;
      connection.closeReason = 'idle_timeout';
      connection.destroy();
    }
  }

  /** Everything but what LevelDB was given at the start, the table of accesses, and what is in memory alone, takes the new size. */
  #setMemory(megabytes: number, cache: Cache, fixedBytes: number): void {
    if (this.#config.ramTier) cache.residency.ram.resize(Math.max(0, megabytes * 2 ** 20 - fixedBytes));
    this.#memory = megabytes;
    this.#logger.info({ megabytes }, 'memory limit changed');
  }

  async #refreshCertificates(): Promise<string | undefined> {
    if (this.#tls === undefined) return 'Error TLS not enabled';
    const problem = await this.#tls.files.refresh();
    if (problem === undefined) this.#logger.info('certificates read again');
    else this.#logger.error({ problem }, 'certificates not read again, the old ones stay');
    return problem;
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
    clearInterval(this.#idleTimer);
    this.#listeners.close();
    const end = performance.now() + FINISH_MS;
    for (const connection of this.#connections) connection.finish();
    // Idle clients need not close their side: many never read what ends them before they send again.
    do {
      await new Promise((resolve) => setTimeout(resolve, FINISH_LOOK_MS));
    } while ([...this.#connections].some(({ isIdle }) => !isIdle) && performance.now() < end);
    for (const connection of this.#connections) {
      connection.closeReason = 'shutdown';
      connection.destroy();
    }
    this.#connectionMemory?.stop();
    await this.#upkeep?.stop();
    await this.#store?.close();
    this.#listeners.removeFiles();
    this.#logger.info('stopped');
  }
}

/** Which items stay in memory alone; undefined = none. */
function ephemeralOptions({ ephemeralTtl, memory }: ServeConfig, clock: Clock): EphemeralOptions | undefined {
  if (ephemeralTtl === 0) return undefined;
  const limitBytes = Math.min(EPHEMERAL_BYTES_MAX, memory * 2 ** 20 * EPHEMERAL_SHARE);
  return { seconds: ephemeralTtl, limitBytes, clock };
}

/** Lengths of values as far as memory knows them. */
function lengthsIn(residency: Residency): LengthOf {
  const { ram } = residency;
  return (bytes, start, end, key) => {
    const slot = ram.find(residency.hash(bytes, start, end), bytes, start, end);
    if (slot < 0) return residency.besideRam(key, false)?.length;
    return ram.isAbsent(slot) ? undefined : ram.length(slot);
  };
}

/** Makes a connection a watcher of what its words name. */
function addWatcher(watch: WatchHub, words: readonly string[], session: Session): 'ok' | 'too_many' | 'unknown_word' {
  // A datagram's connection is over before anything happens.
  if (session.transport === 'udp') return 'unknown_word';
  const kinds = parseWatchWords(words);
  return kinds === undefined ? 'unknown_word' : watch.add(session, kinds);
}

/** What evicts by whatever limit works on. From now on reads are counted. */
function evictionDeps(cache: Cache, store: Store, watch: WatchHub): GiveUpDeps & { readonly sketch: ReadSketch } {
  const sketch = new ReadSketch(store.state.items);
  cache.access.sketch = sketch;
  if (store.counted !== undefined) cache.prefixes.quotas = new QuotaStats(store.counted);
  const onEvicted = ({ key, item }: Evicted): void => {
    const bytes = Buffer.from(key, 'latin1');
    const last = cache.access.last(cache.residency.hash(bytes, 0, bytes.length));
    const now = cache.now();
    cache.prefixes.countEviction(key);
    watch.evicted(bytes, 0, bytes.length, last !== 0, item.expiresAt === 0 ? -1 : item.expiresAt - now, now - Math.max(last, item.storedAt), item.length);
  };
  return { cache, store, sketch, onEvicted };
}
