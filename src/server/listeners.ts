import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { ListenAddress, ServeConfig } from '../config.ts';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { createAcceptor, type OnSocket } from './accept.ts';
import type { Datagram, DatagramCounts, Datagrams } from './datagram.ts';
import { openDatagrams } from './datagram.ts';
import { createTlsAcceptor, type TlsCounts } from './tls-accept.ts';
import type { TlsFiles } from './tls-files.ts';

/** Share of `--connection-memory` that reads of all connections may take at once, on top of it. */
const READ_SHARE = 1 / 8;

/** A place that clients come in by. */
export interface Listener {
  /** Number among listeners and connections. */
  readonly id: number;
  /** For people and scripts: "127.0.0.1:11211", "unix:/path". */
  readonly address: string;
  /** For `stats conns`: with `tcp:`, `tcp6:` or `udp:` before it, where it is not a unix socket. */
  readonly statsAddress: string;
  readonly transport: 'tcp' | 'udp' | 'local';
  /** True where clients must speak TLS. */
  readonly isEncrypted: boolean;
  /** True where clients must have a certificate. */
  readonly isMutual: boolean;
  /** Undefined for UDP. */
  readonly server: Server | undefined;
}

export interface ListenersDeps {
  readonly logger: Logger;
  readonly tls: { readonly files: TlsFiles; readonly counts: TlsCounts } | undefined;
  nextId(): number;
  /** A client connected; `listener` is where. */
  onSocket(listener: Listener, ...socket: Parameters<OnSocket>): void;
  /** A datagram came. */
  onDatagram(datagram: Datagram): void;
}

/** All sockets that a server listens on. */
export class Listeners {
  readonly #config: ServeConfig;
  readonly #deps: ListenersDeps;
  readonly #all: Listener[] = [];
  #datagrams: Datagrams | undefined;

  constructor(config: ServeConfig, deps: ListenersDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  get all(): readonly Listener[] {
    return this.#all;
  }

  /** What became of datagrams; undefined without UDP. */
  get datagramCounts(): DatagramCounts | undefined {
    return this.#datagrams?.counts;
  }

  get #readBytes(): number {
    return this.#config.connectionMemory * READ_SHARE;
  }

  /**
   * Binds everything that the configuration names.
   *
   * @throws TugelaError TUGELA_LISTEN, and what was bound is closed
   */
  async open(): Promise<void> {
    try {
      await this.#openAll();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Accepts nothing more. */
  close(): void {
    for (const { server } of this.#all) server?.close();
    this.#datagrams?.close();
  }

  /** Removes the files of unix sockets. */
  removeFiles(): void {
    const { socket } = this.#config;
    if (socket !== undefined && this.#all.some(({ transport }) => transport === 'local')) removeSocket(socket, this.#deps.logger);
  }

  async #openAll(): Promise<void> {
    const { listen, port, socket, portFile, udpPort } = this.#config;
    let chosen = port;
    for (const address of listen) {
      const bound = await this.#openTcp(address, address.port ?? chosen);
      // The same free port on every address.
      if (chosen === 0 && address.port === undefined) chosen = bound;
    }
    if (udpPort !== undefined) await this.#openUdp(listen.map(({ host }) => host), udpPort);
    if (socket !== undefined) await this.#openUnix(socket);
    if (portFile !== undefined) writePortFile(portFile, this.#all);
  }

  /** Returns the port that was bound. */
  async #openTcp({ host, security }: ListenAddress, port: number): Promise<number> {
    const { tls, logger } = this.#deps;
    let listener: Listener | undefined;
    const onSocket: OnSocket = (...socket) => this.#deps.onSocket(listener!, ...socket);
    const isEncrypted = tls !== undefined && security !== 'plain';
    const server = isEncrypted ? createTlsAcceptor(tls.files, { mutual: security === 'mutual', handshakes: this.#config.connections, counts: tls.counts, logger }, onSocket) : createAcceptor(onSocket, this.#readBytes);
    await listening(server, () => server.listen({ host, port, backlog: this.#config.backlog }), `${host}:${port}`);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new TugelaError('TUGELA_LISTEN', `Cannot listen on ${host}:${port}`);
    const isV6 = bound.family === 'IPv6';
    const address = isV6 ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
    listener = {
      id: this.#deps.nextId(),
      address,
      statsAddress: `${isV6 ? 'tcp6' : 'tcp'}:${address}`,
      transport: 'tcp',
      isEncrypted,
      isMutual: isEncrypted && (security === 'mutual' || this.#config.tls?.verify === 'require'),
      server,
    };
    this.#all.push(listener);
    return bound.port;
  }

  async #openUdp(hosts: readonly string[], port: number): Promise<void> {
    const datagrams = await openDatagrams({
      hosts,
      port,
      mayAmplify: (address) => this.#config.udpLongReplies || isLoopback(address),
      onDatagram: (datagram) => this.#deps.onDatagram(datagram),
    });
    this.#datagrams = datagrams;
    for (const statsAddress of datagrams.addresses) {
      const id = this.#deps.nextId();
      this.#all.push({ id, address: statsAddress, statsAddress, transport: 'udp', isEncrypted: false, isMutual: false, server: undefined });
    }
  }

  async #openUnix(path: string): Promise<void> {
    await removeStaleSocket(path);
    const address = `unix:${path}`;
    let listener: Listener | undefined;
    const server = createAcceptor((...socket) => this.#deps.onSocket(listener!, ...socket), this.#readBytes);
    listener = { id: this.#deps.nextId(), address, statsAddress: address, transport: 'local', isEncrypted: false, isMutual: false, server };
    // Nobody may connect before the mode is what it should be.
    const umask = process.umask(0o777 & ~this.#config.socketMode);
    const bound = listening(server, () => server.listen({ path, backlog: this.#config.backlog }), path);
    process.umask(umask);
    await bound;
    chmodSync(path, this.#config.socketMode);
    this.#all.push(listener);
  }
}

/** True for a peer on this machine. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === '::1' || /^(::ffff:)?127\./.test(address));
}

/** How `stats conns` writes the other end of a TCP connection. */
export function peerOf({ remoteAddress, remotePort, remoteFamily }: Socket): string {
  return remoteFamily === 'IPv6' ? `tcp6:[${remoteAddress}]:${remotePort}` : `tcp:${remoteAddress}:${remotePort}`;
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

/** Tells scripts which ports were opened, as memcached does: the file is complete when it appears. */
function writePortFile(path: string, listeners: readonly Listener[]): void {
  const text = listeners
    .filter(({ transport }) => transport !== 'local')
    .map(({ statsAddress, transport }) => {
      const family = statsAddress.includes('[') ? 'INET6' : 'INET';
      return `${transport.toUpperCase()} ${family}: ${statsAddress.slice(statsAddress.lastIndexOf(':') + 1)}\n`;
    })
    .join('');
  try {
    writeFileSync(`${path}.lck`, text);
    // Whatever the umask: it is there for others.
    chmodSync(`${path}.lck`, 0o644);
    renameSync(`${path}.lck`, path);
  } catch (cause) {
    throw new TugelaError('TUGELA_LISTEN', `Cannot write the ports to ${path}: ${messageOf(cause)}`, { cause });
  }
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
