import type { Socket } from 'node:net';
import type { Address } from './address.ts';
import { LinkError, reasonOf } from './link-error.ts';
import { openSocket, UNAUTHENTICATED } from './open-socket.ts';

export interface LineClientLimits {
  /** Milliseconds until a connection must be made, and we be let in. */
  readonly connectTimeoutMs: number;
  /** Milliseconds from a request's turn to its last line. */
  readonly replyTimeoutMs: number;
  /** Bytes of one reply line at most: a row's or item's line is under 1 KB. */
  readonly maxLineBytes: number;
  /** Bytes of all lines of one reply at most: this many are held in memory. */
  readonly maxReplyBytes: number;
  /** Requests that may wait for their reply at once. */
  readonly maxPending: number;
}

/** What holds unless the caller says otherwise. A list of 10,000 items of the longest keys is about 8 MB. */
export const DEFAULT_LIMITS: LineClientLimits = {
  connectTimeoutMs: 5_000,
  replyTimeoutMs: 30_000,
  maxLineBytes: 64 * 1024,
  maxReplyBytes: 16 * 1024 * 1024,
  maxPending: 256,
};

interface Pending {
  readonly isLast: (line: string) => boolean;
  readonly timeoutMs: number;
  readonly lines: string[];
  bytes: number;
  resolve(lines: string[]): void;
  reject(error: LinkError): void;
}

/**
 * One connection that sends command lines and collects reply lines, in order.
 *
 * Requests may be sent before former ones are answered. An error line (`ERROR`, `CLIENT_ERROR …`,
 * `SERVER_ERROR …`) fails its own request only; a lost connection, a late reply or an overlong one
 * ends the connection and fails all that wait, because the stream can no longer be trusted.
 */
export class LineClient {
  readonly #socket: Socket;
  readonly #limits: LineClientLimits;
  readonly #onClose: (error: LinkError) => void;
  readonly #pending: Pending[] = [];
  #partial = '';
  #timer: NodeJS.Timeout | undefined;
  #ended: LinkError | undefined;

  private constructor(socket: Socket, limits: LineClientLimits, onClose: (error: LinkError) => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onClose = onClose;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => {
      this.#end(new LinkError('connection_lost', `Connection lost: ${reasonOf(error)}`, { cause: error }));
    });
    socket.on('close', () => this.#end(new LinkError('connection_lost', 'Connection closed by the server')));
  }

  /**
   * Connects. `onClose` is called once, when the connection ends for whatever reason.
   * Rejects as `openSocket` does.
   */
  static async connect(
    address: Address,
    limits: LineClientLimits,
    signal: AbortSignal,
    onClose: (error: LinkError) => void = () => undefined,
  ): Promise<LineClient> {
    return new LineClient(await openSocket(address, { timeoutMs: limits.connectTimeoutMs, signal }), limits, onClose);
  }

  /** True once the connection has ended; it never comes back. */
  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Sends one command and gives back its reply lines without their line ends, the last one included.
   * `isLast` says which line ends the reply. Bytes become characters one to one (latin1).
   */
  async request(
    command: string,
    isLast: (line: string) => boolean,
    timeoutMs: number = this.#limits.replyTimeoutMs,
  ): Promise<string[]> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#pending.length >= this.#limits.maxPending) {
      throw new RangeError(`More than ${this.#limits.maxPending} requests at once on one connection`);
    }
    return await new Promise((resolve, reject) => {
      this.#pending.push({ isLast, timeoutMs, lines: [], bytes: 0, resolve, reject });
      if (this.#pending.length === 1) this.#startTimer();
      this.#socket.write(`${command}\r\n`, 'latin1');
    });
  }

  /** Ends the connection at once and fails what waits. */
  close(reason: LinkError = new LinkError('aborted', 'Connection closed by this side')): void {
    this.#end(reason);
  }

  #read(chunk: Buffer): void {
    const text = this.#partial + chunk.toString('latin1');
    let start = 0;
    for (;;) {
      const end = text.indexOf('\n', start);
      if (end < 0) break;
      this.#takeLine(text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end));
      if (this.#ended !== undefined) return;
      start = end + 1;
    }
    this.#partial = text.slice(start);
    if (this.#partial.length > this.#limits.maxLineBytes) {
      this.#end(new LinkError('bad_reply', `Reply line longer than ${this.#limits.maxLineBytes} bytes`));
    }
  }

  #takeLine(line: string): void {
    const head = this.#pending[0];
    if (head === undefined) {
      this.#end(new LinkError('bad_reply', `Unexpected line from the server: ${shorten(line)}`));
      return;
    }
    const failure = errorOf(line);
    if (failure !== undefined) {
      this.#shift();
      head.reject(failure);
      return;
    }
    head.bytes += line.length + 2;
    if (head.bytes > this.#limits.maxReplyBytes || line.length > this.#limits.maxLineBytes) {
      this.#end(new LinkError('bad_reply', `Reply longer than ${this.#limits.maxReplyBytes} bytes`));
      return;
    }
    head.lines.push(line);
    if (head.isLast(line)) {
      this.#shift();
      head.resolve(head.lines);
    }
  }

  #shift(): void {
    this.#pending.shift();
    clearTimeout(this.#timer);
    if (this.#pending.length > 0) this.#startTimer();
  }

  #startTimer(): void {
    const ms = this.#pending[0]?.timeoutMs ?? this.#limits.replyTimeoutMs;
    this.#timer = setTimeout(() => this.#end(new LinkError('timeout', `No full reply within ${ms} ms`)), ms);
  }

  #end(reason: LinkError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    clearTimeout(this.#timer);
    this.#partial = '';
    this.#socket.destroy();
    for (const pending of this.#pending.splice(0)) pending.reject(reason);
    this.#onClose(reason);
  }
}

/** What the server says when control commands are not for this peer; the rest of the line may change. */
const REFUSAL = 'CLIENT_ERROR control commands are not accepted';

function errorOf(line: string): LinkError | undefined {
  if (line.startsWith(REFUSAL)) {
    return new LinkError('refused', 'The server does not accept control commands on this connection: connect from its own host (loopback or unix socket), or start it with --control any');
  }
  if (line === UNAUTHENTICATED) return new LinkError('refused', 'The server asks for a password: give it with --password-file');
  if (line === 'ERROR') {
    return new LinkError('unsupported', 'The server does not know the command: is it tugela-ts?');
  }
  if (line.startsWith('CLIENT_ERROR')) return new LinkError('client_error', `The server says: ${shorten(line)}`);
  if (line.startsWith('SERVER_ERROR') || line.startsWith('ERROR ')) {
    return new LinkError('server_error', `The server says: ${shorten(line)}`);
  }
  return undefined;
}

/** Cuts what a peer sent to a length that is fit for a message. */
export function shorten(line: string): string {
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}
