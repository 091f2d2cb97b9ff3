import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { ServeConfig } from '../config.ts';
import { lines } from '../protocol/lines.ts';
import type { OnRead } from './accept.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import type { Datagram } from './datagram.ts';
import type { Dialect } from './dialect.ts';
import { isLoopback, type Listener, peerOf } from './listeners.ts';
import type { ConnectionCounts } from './stats/stats-sources.ts';
import type { Verbosity } from './verbosity.ts';
import type { WatchHub } from './watch-hub.ts';

/** Milliseconds that connections get to finish what they have in hand when the server stops. */
const FINISH_MS = 5000;
/** Milliseconds between two looks whether connections have finished. */
const FINISH_LOOK_MS = 20;
/** Milliseconds between two looks for idle connections. */
const IDLE_LOOK_MS = 1000;

export interface ClientsDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly verbosity: Verbosity;
}

/** What clients are served with. */
export interface Serving {
  readonly context: ConnectionContext;
  /** What clients of the text protocol speak before they have authenticated; undefined = they need not. */
  readonly auth: Dialect | undefined;
  /** Told who comes and goes. */
  readonly watch: WatchHub;
}

/** Who is connected: lets clients in, turns them away, closes those that are idle, and all in the end. */
export class Clients {
  readonly counts: ConnectionCounts;
  readonly #config: ServeConfig;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #verbosity: Verbosity;
  readonly #connections = new Set<Connection>();
  /** Lets those in who came before anybody was served. */
  readonly #early: (() => void)[] = [];
  #serving: Serving | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isFinishing = false;
  #nextId = 1;

  constructor(config: ServeConfig, { logger, clock, verbosity }: ClientsDeps) {
    this.#config = config;
    this.#logger = logger;
    this.#clock = clock;
    this.#verbosity = verbosity;
    this.counts = { current: 0, total: 0, rejected: 0, idleKicks: 0, startedAt: clock.now() };
  }

  /** Those connected now; datagrams are not among them. */
  get all(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** A number that no other listener or connection has. */
  nextId(): number {
    return this.#nextId++;
  }

  /** Serves clients from now on, those first who came before. */
  serve(serving: Serving): void {
    this.#serving = serving;
    for (const accept of this.#early.splice(0)) accept();
    if (this.#config.idleTimeout > 0) {
      this.#idleTimer = setInterval(() => this.#kickIdle(), IDLE_LOOK_MS);
      this.#idleTimer.unref();
    }
  }

  /** A client connected. Until clients are served, it waits. */
  came(listener: Listener, socket: Socket, setReader: (onRead: OnRead) => void): void {
    const serving = this.#serving;
    if (serving === undefined) this.#early.push(() => this.#accept(this.#serving!, listener, socket, setReader));
    else this.#accept(serving, listener, socket, setReader);
  }

  /** Answers a datagram; until clients are served, it is dropped. */
  answer({ reply, peer, listener, isLocal, bytes }: Datagram): void {
    if (this.#serving === undefined || this.#isFinishing) return;
    const { context } = this.#serving;
    const dialect = this.#configuredDialect(context);
    const connection = new Connection(reply, { id: this.nextId(), peer, listener, transport: 'udp', isLocal, isEncrypted: false, dialect }, context);
    connection.read(bytes, bytes.length);
    connection.finish();
  }

  /** A connection is over. */
  forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.counts.current--;
    this.#serving?.watch.remove(connection);
    this.#serving?.watch.disconnected(connection, connection.closeReason);
    if (this.#verbosity.isTracing) this.#logger.trace({ connection: connection.id }, 'disconnected');
  }

  /** Lets all finish what they have in hand, for some seconds, and closes them. Who comes now is turned away. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    clearInterval(this.#idleTimer);
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
  }

  #accept({ context, auth, watch }: Serving, listener: Listener, socket: Socket, setReader: (onRead: OnRead) => void): void {
    // A client that came early may be gone again.
    if (socket.destroyed) return;
    this.counts.total++;
    context.arrivals.come();
    if (this.counts.current >= this.#config.connections || this.#isFinishing) {
      this.counts.rejected++;
      socket.on('error', () => {});
      socket.end(lines.tooManyConnections);
      socket.destroySoon();
      return;
    }
    this.counts.current++;
    const isUnix = listener.transport === 'local';
    const connection = new Connection(
      socket,
      {
        id: this.nextId(),
        peer: isUnix ? listener.statsAddress : peerOf(socket),
        listener: listener.statsAddress,
        transport: listener.transport,
        isLocal: isUnix || isLoopback(socket.remoteAddress),
        isEncrypted: listener.isEncrypted,
        dialect: auth ?? this.#configuredDialect(context),
      },
      context,
    );
    this.#connections.add(connection);
    watch.connected(connection);
    if (this.#verbosity.isTracing) this.#logger.trace({ connection: connection.id, peer: connection.peer }, 'connected');
    setReader((bytes, length) => connection.read(bytes, length));
  }

  /** The dialect that all must speak; undefined = each chooses. */
  #configuredDialect({ text, binary }: ConnectionContext): Dialect | undefined {
    return { auto: undefined, ascii: text, binary }[this.#config.protocol];
  }

  /** Closes TCP connections that have said nothing for too long. */
  #kickIdle(): void {
    const before = this.#clock.now() - this.#config.idleTimeout;
    for (const connection of this.#connections) {
      if (connection.transport !== 'tcp' || connection.lastCommandAt >= before || !connection.isBetweenCommands) continue;
      this.counts.idleKicks++;
      connection.closeReason = 'idle_timeout';
      connection.destroy();
    }
  }
}
