import type { Socket } from 'node:net';
import { type Address, formatAddress } from '../../daemon/address.ts';
import { LinkError } from '../../daemon/link-error.ts';
import { openSocket } from '../../daemon/open-socket.ts';
import { messageOf, TugelaError } from '../errors.ts';

const CONNECT_TIMEOUT_MS = 5000;
/** How long nothing may come or go. */
const IDLE_TIMEOUT_MS = 60_000;
const LINE_MAX = 4096;

/** A connection to a server, for bulk: bytes out with back-pressure, lines or raw bytes in. */
export class ServerLink {
  readonly #socket: Socket;
  readonly #name: string;
  readonly #pieces: AsyncIterableIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    this.#pieces = socket.iterator() as AsyncIterableIterator<Buffer>;
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy(new Error(`nothing came for ${IDLE_TIMEOUT_MS / 1000} s`)));
  }

  /** @throws TugelaError TUGELA_CONNECT; TUGELA_REFUSED when the server does not let us in */
  static async connect(address: Address): Promise<ServerLink> {
    const name = formatAddress(address);
    const socket = await openSocket(address, { timeoutMs: CONNECT_TIMEOUT_MS }).catch((error: unknown) => {
      const code = error instanceof LinkError && error.code === 'refused' ? 'TUGELA_REFUSED' : 'TUGELA_CONNECT';
      throw new TugelaError(code, `Cannot reach server at ${name}: ${messageOf(error)}`, { cause: error });
    });
    socket.setNoDelay(true);
    // Whoever reads or writes next is told; an error between the two must not end the process.
    socket.on('error', () => undefined);
    return new ServerLink(socket, name);
  }

  /** Resolves when the system has taken all of it. */
  send(pieces: readonly Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.cork();
      const last = pieces.length - 1;
      pieces.forEach((piece, i) => {
        this.#socket.write(piece, i < last ? undefined : (error) => (error == null ? resolve() : reject(this.#lost(error))));
      });
      this.#socket.uncork();
    });
  }

  /** The next line of a reply, as latin1 without its end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end).replace(/\r$/, '');
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > LINE_MAX) throw new TugelaError('TUGELA_PROTOCOL', `The server at ${this.#name} sends a line that never ends`);
      const piece = await this.piece();
      if (piece === undefined) throw this.#lost(new Error('the server closed it'));
      this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    }
  }

  /** The next bytes as they come; undefined at the end. Not to be mixed with `line`. */
  async piece(): Promise<Buffer | undefined> {
    try {
      const { value, done } = await this.#pieces.next();
      return done === true ? undefined : value;
    } catch (error) {
      throw this.#lost(error);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #lost(error: unknown): TugelaError {
    return new TugelaError('TUGELA_CONNECT', `Connection to ${this.#name} lost: ${messageOf(error)}`, { cause: error });
  }
}
