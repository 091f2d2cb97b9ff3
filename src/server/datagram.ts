import { createSocket, type RemoteInfo, type Socket, type SocketType } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { EventEmitter } from 'node:events';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { datagramCount, FRAME_LENGTH, isShorterThanRequest, REPLY_MAX, replyDatagram, requestIdOf } from '../protocol/datagram-frame.ts';
import { joinInSteps, nextStep, STEP_BYTES } from '../steps.ts';

/*
 * UDP: each datagram is a connection of its own that ends with its reply.
 *
 * Whoever sends a datagram can forge where it comes from, and a short get can have a long reply: a server that is
 * reachable from a public network would be a weapon against others. So it is off unless asked for, what goes to
 * another machine is less than what came, and there are bounds on how much is under way. Less, not as much: then two
 * servers that somebody sets against each other fall silent.
 */

/** Datagrams in work at once, their replies included; more are dropped, as UDP permits. */
const IN_WORK_MAX = 256;

/** Bytes of all replies that are gathered or being sent; the reply that exceeds it is dropped. */
const GATHERED_MAX = 64 * 1024 * 1024;

/** Datagrams of one reply that are sent in one go: others get their turn between them. */
const SENDING_MAX = 16;

/** UDP as stats tell of it. */
export interface DatagramCounts {
  /** Requests not answered: too many at once, or too large a reply. */
  dropped: number;
  /** Requests not answered because the reply would have been as long as the request, or longer. */
  withheld: number;
}

/** A request that came in one datagram. */
export interface Datagram {
  /** What follows the frame; nobody else uses it. */
  readonly bytes: Buffer;
  /** Where the reply goes: stands for the socket of a connection, which ends with it. */
  readonly reply: DatagramReply;
  /** As in Session: `udp:1.2.3.4:5`. */
  readonly peer: string;
  readonly listener: string;
  /** Never: where a datagram comes from can be forged. */
  readonly isLocal: false;
}

export interface DatagramOptions {
  /** Names or addresses. */
  readonly hosts: readonly string[];
  /** 0 = any free one, the same on all hosts. */
  readonly port: number;
  /** True for an address that may be sent replies longer than its requests. */
  readonly mayAmplify: (address: string) => boolean;
  /** Makes a connection of it at once, or leaves it: then it is not answered. */
  readonly onDatagram: (datagram: Datagram) => void;
  /** Told when a socket broke: it receives nothing more. */
  readonly onBroken?: (address: string, error: Error) => void;
}

/** Open UDP sockets. */
export interface Datagrams {
  /** For `stats conns`: `udp:127.0.0.1:11211`, `udp6:[::1]:11211`. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Whoever resets stats sets them to 0. */
  readonly counts: DatagramCounts;
  /** Takes no further datagrams. Replies under way are still sent, but the process need not live for them. */
  close(): void;
}

/**
 * Listens for datagrams.
 *
 * @throws TugelaError TUGELA_LISTEN; then nothing is left open
 */
export async function openDatagrams(options: DatagramOptions): Promise<Datagrams> {
  const shared: Shared = { inWork: 0, gathered: 0, counts: { dropped: 0, withheld: 0 }, onIdle: undefined };
  const sockets: Socket[] = [];
  const addresses: string[] = [];
  let { port } = options;
  try {
    for (const host of new Set(options.hosts)) {
      const socket = await bind(host, port);
      sockets.push(socket);
      ({ port } = socket.address());
      const address = addressOf(socket.address());
      addresses.push(address);
      receive(socket, address, options, shared);
    }
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
  const closeAll = (): void => {
    for (const socket of sockets.splice(0)) socket.close();
  };
  const close = (): void => {
    for (const socket of sockets) socket.removeAllListeners('message').unref();
    if (shared.inWork === 0) closeAll();
    else shared.onIdle = closeAll;
  };
  return { addresses, port, counts: shared.counts, close };
}

/** What all sockets and replies have in common. */
interface Shared {
  inWork: number;
  gathered: number;
  readonly counts: DatagramCounts;
  onIdle: (() => void) | undefined;
}

function receive(socket: Socket, listener: string, { onDatagram, onBroken, mayAmplify }: DatagramOptions, shared: Shared): void {
  const { port } = socket.address();
  socket.on('message', (datagram: Buffer, remote: RemoteInfo) => {
    const requestId = requestIdOf(datagram);
    // From a server's port comes a reply that somebody has sent astray: two servers would answer each other for ever.
    if (requestId === undefined || remote.port === port) return;
    if (shared.inWork >= IN_WORK_MAX) {
      shared.counts.dropped++;
      return;
    }
    const requestBytes = mayAmplify(remote.address) ? undefined : datagram.length;
    const reply = new DatagramReply(socket, remote, requestId, requestBytes, shared);
    onDatagram({ bytes: datagram.subarray(FRAME_LENGTH), reply, peer: addressOf(remote), listener, isLocal: false });
    if (reply.listenerCount('close') === 0) reply.destroy();
  });
  socket.on('error', (error) => onBroken?.(listener, error));
}

/**
 * Stands for the socket of a connection that answers one datagram: takes all that is written, and sends it when the
 * connection ends. Emits `close` when that is done, and no other event.
 */
export class DatagramReply extends EventEmitter {
  readonly #socket: Socket;
  readonly #remote: RemoteInfo;
  readonly #requestId: number;
  /** The datagrams of the reply must be less than so many bytes; undefined = they may be as many as there are. */
  readonly #requestBytes: number | undefined;
  readonly #shared: Shared;
  #chunks: Buffer[] = [];
  #length = 0;
  #unsent = 0;
  #state: 'gathering' | 'sending' | 'over' = 'gathering';

  constructor(socket: Socket, remote: RemoteInfo, requestId: number, requestBytes: number | undefined, shared: Shared) {
    super();
    this.#socket = socket;
    this.#remote = remote;
    this.#requestId = requestId;
    this.#requestBytes = requestBytes;
    this.#shared = shared;
    shared.inWork++;
  }

  /** Bytes on their way. Nothing while the reply is gathered: that waits for nobody. */
  get writableLength(): number {
    return this.#unsent;
  }

  /** Takes a copy, and what is more than a reply may be, not at all: then nothing is sent. */
  write(bytes: Buffer): boolean {
    if (this.#state !== 'gathering' || bytes.length === 0) return true;
    const { counts } = this.#shared;
    this.#length += bytes.length;
    this.#shared.gathered += bytes.length;
    if (this.#requestBytes !== undefined && !isShorterThanRequest(this.#length, this.#requestBytes)) {
      counts.withheld++;
      this.destroy();
    } else if (this.#length > REPLY_MAX || this.#shared.gathered > GATHERED_MAX) {
      counts.dropped++;
      this.destroy();
    } else {
      this.#chunks.push(Buffer.from(bytes));
    }
    return true;
  }

  cork(): void {}

  uncork(): void {}

  resume(): this {
    return this;
  }

  /** Sends what was written, and closes. */
  destroySoon(): void {
    if (this.#state !== 'gathering') return;
    if (this.#length === 0) {
      this.destroy();
      return;
    }
    this.#state = 'sending';
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#unsent = this.#length;
    if (chunks.length === 1) this.#send(chunks[0]!);
    else if (this.#length <= STEP_BYTES) this.#send(Buffer.concat(chunks));
    else void joinInSteps(chunks).then((reply) => this.#send(reply));
  }

  /** Closes; what was not sent never is. */
  destroy(): this {
    if (this.#state === 'over') return this;
    this.#state = 'over';
    this.#chunks = [];
    this.#unsent = 0;
    const shared = this.#shared;
    shared.gathered -= this.#length;
    // Not in the midst of whoever ended it.
    process.nextTick(() => {
      this.emit('close');
      if (--shared.inWork === 0) shared.onIdle?.();
    });
    return this;
  }

  #send(reply: Buffer): void {
    const count = datagramCount(reply.length);
    let next = 0;
    let sending = 0;
    const sendMore = (): void => {
      const end = Math.min(count, next + SENDING_MAX);
      while (this.#state === 'sending' && next < end) {
        sending++;
        this.#socket.send(replyDatagram(this.#requestId, reply, next++), this.#remote.port, this.#remote.address, sent);
      }
    };
    const sent = (error: Error | null): void => {
      sending--;
      // A part of a reply is of no use to its client.
      if (error !== null) this.destroy();
      else if (sending > 0) return;
      else if (next === count) this.destroy();
      // What the kernel takes at once Node tells in the same turn: all others would wait for the whole reply.
      else void nextStep().then(sendMore);
    };
    sendMore();
  }
}

async function bind(host: string, port: number): Promise<Socket> {
  const where = `UDP ${host}:${port}`;
  let socket: Socket | undefined;
  try {
    const { address, family } = await lookup(host);
    const type: SocketType = family === 6 ? 'udp6' : 'udp4';
    const created = createSocket(type);
    socket = created;
    await new Promise<void>((resolve, reject) => {
      created.once('error', reject);
      created.bind({ address, port, exclusive: true }, () => {
        created.off('error', reject);
        resolve();
      });
    });
    return created;
  } catch (cause) {
    socket?.close();
    throw new TugelaError('TUGELA_LISTEN', `Cannot listen on ${where}: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return systemCodeOf(cause) === 'EADDRINUSE' ? 'the address is in use, perhaps by another server' : messageOf(cause);
}

function addressOf({ address, family, port }: { address: string; family: string; port: number }): string {
  return family === 'IPv6' ? `udp6:[${address}]:${port}` : `udp:${address}:${port}`;
}
