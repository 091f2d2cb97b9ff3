import { createServer, type Server, type Socket } from 'node:net';
import { TugelaError } from '../src/errors.ts';
import { reasonOf } from './link-error.ts';
import { formatStats } from './stats.ts';

/** Bytes that a command line may have; the longest known command has eight. */
const MAX_LINE_BYTES = 1024;

/** Connections at once: people and monitors, not clients. */
const MAX_CONNECTIONS = 64;

/** Milliseconds after which a silent connection is closed; monitors ask every minute at least. */
const IDLE_TIMEOUT_MS = 300_000;

export interface StatsListenerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly version: string;
  /** Names and values, asked for anew for each `stats`. */
  readonly stats: () => ReadonlyMap<string, string>;
}

/**
 * Answers `stats`, `version` and `quit` as memcached does, anything else with `ERROR`, so that
 * whatever reads memcached's stats reads the daemon's.
 */
export class StatsListener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens; rejects with a message that says what to do when the port is taken. */
  static async open(options: StatsListenerOptions): Promise<StatsListener> {
    const server = createServer({ noDelay: true });
    const listener = new StatsListener(server);
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => listener.#serve(socket, options));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const where = `${options.host}:${options.port}`;
        const message =
          error.code === 'EADDRINUSE'
            ? `Cannot show stats on ${where}: the port is in use, perhaps by another daemon; ` +
              'choose one with --stats-port (0 = any free one) or use --no-stats'
            : `Cannot show stats on ${where}: ${reasonOf(error)}`;
        reject(new TugelaError('TUGELA_LISTEN', message, { cause: error }));
      });
      server.listen(options.port, options.host, () => {
        server.removeAllListeners('error');
        // Errors from here on concern single attempts to accept (no descriptors left): the caller of
        // that connection sees it closed, the daemon's own work goes on.
        server.on('error', () => undefined);
        resolve();
      });
    });
    return listener;
  }

  /** The port that is listened on. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Stops listening and ends all connections. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #serve(socket: Socket, options: StatsListenerOptions): void {
    let partial = '';
    this.#sockets.add(socket);
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    // A peer that resets its connection has ended it, which is all that 'close' needs to know.
    socket.on('error', () => undefined);
    socket.on('drain', () => socket.resume());
    socket.on('data', (chunk: Buffer) => {
      const lines = (partial + chunk.toString('latin1')).split('\n');
      partial = lines.pop() ?? '';
      let reply = '';
      for (const line of lines) {
        const answer = line.length > MAX_LINE_BYTES ? undefined : answerTo(line.trim(), options);
        if (answer === 'quit') {
          socket.end(reply);
          return;
        }
        reply += answer ?? 'ERROR\r\n';
      }
      if (partial.length > MAX_LINE_BYTES) {
        socket.end(`${reply}ERROR\r\n`);
        partial = '';
        return;
      }
      // A peer that asks without reading is not read from until it has read.
      if (reply !== '' && !socket.write(reply)) socket.pause();
    });
  }
}

function answerTo(command: string, options: StatsListenerOptions): string {
  switch (command) {
    case 'stats':
      return formatStats(options.stats());
    case 'version':
      return `VERSION ${options.version}\r\n`;
    case 'quit':
      return 'quit';
    default:
      return 'ERROR\r\n';
  }
}
