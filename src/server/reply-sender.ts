import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import type { Traffic } from './traffic.ts';
import type { Wire } from './wire.ts';

/** Unsent replies above which a connection executes nothing more until its client reads. */
const UNSENT_BYTES = 1024 * 1024;

/** Hands replies to the socket of a client, and knows how far they got. */
export class ReplySender {
  readonly #wire: Wire;
  readonly #traffic: Traffic;
  #sentBytes = 0;
  /** Bytes handed over since its owner set it to 0. */
  turnBytes = 0;
  /** Set when the client is gone: nothing is sent any more. */
  isClosed = false;

  constructor(wire: Wire, traffic: Traffic) {
    this.#wire = wire;
    this.#traffic = traffic;
  }

  /** Bytes given to the socket that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#wire.writableLength;
  }

  /** Those of them whose end the socket's `drain` tells. */
  get drainingBytes(): number {
    const { writableLength, writableNeedDrain } = this.#wire;
    return writableNeedDrain === true ? writableLength : 0;
  }

  /** Bytes that the kernel has taken since the beginning. */
  get takenBytes(): number {
    return this.#sentBytes - this.#wire.writableLength - (this.#wire._handle?.writeQueueSize ?? 0);
  }

  /** True when nothing more may be executed before the client has read; `memoryIsShort`: that of all connections. */
  mustDrain(memoryIsShort: boolean): boolean {
    const { writableLength, writableNeedDrain } = this.#wire;
    return writableLength > UNSENT_BYTES || (writableNeedDrain === true && memoryIsShort);
  }

  /** Sends bytes that do not change any more. */
  send(bytes: Buffer): void {
    if (this.isClosed) return;
    this.#count(bytes.length);
    this.#wire.write(bytes);
  }

  /** Sends pieces as one. */
  sendAll(pieces: readonly Buffer[]): void {
    if (pieces.length > 1) this.#wire.cork();
    for (const bytes of pieces) this.send(bytes);
    this.#wire.uncork();
  }

  /** Sends what is written in `out`, from its own memory if that is done at once. */
  sendWritten(out: ReplyBuffer): void {
    if (out.length === 0) return;
    this.#count(out.length);
    if (this.#wire.writableLength > 0) {
      this.#wire.write(out.slice(0, out.length));
      return;
    }
    this.#wire.write(out.bytes.subarray(0, out.length));
    // What the kernel did not take at once is still being sent from this memory.
    if (this.#wire.writableLength > 0) out.abandon();
  }

  #count(bytes: number): void {
    this.#traffic.bytesWritten += bytes;
    this.turnBytes += bytes;
    this.#sentBytes += bytes;
  }
}
