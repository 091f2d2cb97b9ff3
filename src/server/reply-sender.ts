import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { DirectWriter } from './direct-writer.ts';
import { SLICE_BYTES, SlicedReplies } from './sliced-replies.ts';
import type { Traffic } from './traffic.ts';
import { LARGE_BYTES, type TurnQueue } from './turn-queue.ts';
import type { Wire } from './wire.ts';

/** Unsent replies above which a connection executes nothing more until its client reads. */
const UNSENT_BYTES = 1024 * 1024;

/** Hands replies to the socket of a client, and knows how far they got. */
export class ReplySender {
  readonly #wire: Wire;
  readonly #traffic: Traffic;
  readonly #turns: TurnQueue;
  readonly #onDrained: () => void;
  /** Undefined where the socket is no plain one. */
  readonly #direct: DirectWriter | undefined;
  /** Undefined until there is a long reply. */
  #sliced: SlicedReplies | undefined;
  #isEnding = false;
  #sentBytes = 0;
  /** Bytes handed over since its owner set it to 0. */
  turnBytes = 0;
  #isClosed = false;

  /** `onDrained` is called when the kernel has taken what was unsent, so much that it is waited for; `isPlain`: the wire is a socket without TLS. */
  constructor(wire: Wire, traffic: Traffic, turns: TurnQueue, isPlain: boolean, onDrained: () => void) {
    this.#wire = wire;
    this.#traffic = traffic;
    this.#turns = turns;
    this.#onDrained = onDrained;
    this.#direct = isPlain ? new DirectWriter(wire, () => this.#taken()) : undefined;
    wire.on('drain', () => this.#drained());
  }

  /** True when the client is gone: nothing is sent any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes of replies that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#slicedBytes() + this.#unwritten();
  }

  /** Those of them whose end `onDrained` tells. */
  get drainingBytes(): number {
    const { writableLength, writableNeedDrain } = this.#wire;
    return this.#slicedBytes() + this.#directBytes() + (writableNeedDrain === true ? writableLength : 0);
  }

  /** Bytes that the kernel has taken since the beginning. */
  get takenBytes(): number {
    return this.#sentBytes - this.#slicedBytes() - this.#wire.writableLength - (this.#wire._handle?.writeQueueSize ?? 0);
  }

  /** True while unsent replies wait for others to have their turn, and not for the client. */
  get isWaitingForTurn(): boolean {
    return this.#sliced?.isWaitingForTurn === true;
  }

  /** True when nothing more may be executed before the client has read; `memoryIsShort`: that of all connections. */
  mustDrain(memoryIsShort: boolean): boolean {
    if (this.#slicedBytes() > 0) return true;
    const { writableLength, writableNeedDrain } = this.#wire;
    return writableLength > UNSENT_BYTES || (memoryIsShort && (writableNeedDrain === true || this.#directBytes() > 0));
  }

  /** Sends bytes that do not change any more. */
  send(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#count(bytes.length);
    if (this.#slicedBytes() > 0 || bytes.length > SLICE_BYTES) {
      this.#slice([bytes]);
      return;
    }
    this.#spend(bytes.length);
    this.#write(bytes);
  }

  /** Sends pieces as one. */
  sendAll(pieces: readonly Buffer[]): void {
    if (pieces.length === 1) {
      this.send(pieces[0]!);
      return;
    }
    const length = pieces.reduce((sum, bytes) => sum + bytes.length, 0);
    if (this.#isClosed || length === 0) return;
    this.#count(length);
    if (this.#slicedBytes() > 0 || length > SLICE_BYTES) {
      this.#slice(pieces);
      return;
    }
    this.#spend(length);
    this.#wire.cork();
    for (const bytes of pieces) this.#wire.write(bytes);
    this.#wire.uncork();
  }

  /** Sends what is written in `out`, from its own memory if that is done at once. */
  sendWritten(out: ReplyBuffer): void {
    if (out.length === 0) return;
    this.#count(out.length);
    if (out.length > SLICE_BYTES) {
      this.#slice([out.bytes.subarray(0, out.length)]);
      out.abandon();
      return;
    }
    if (this.#slicedBytes() > 0) {
      this.#slice([out.slice(0, out.length)]);
      return;
    }
    this.#spend(out.length);
    if (this.#unwritten() > 0) {
      this.#wire.write(out.slice(0, out.length));
      return;
    }
    this.#write(out.bytes.subarray(0, out.length));
    // What the kernel did not take at once is still being sent from this memory.
    if (this.#unwritten() > 0) out.abandon();
  }

  /** Ends the connection once all is sent. */
  end(): void {
    if (this.#slicedBytes() > 0) this.#isEnding = true;
    else this.#wire.destroySoon();
  }

  /** The client is gone: gives up what was not sent. */
  close(): void {
    this.#isClosed = true;
    this.#sliced?.clear();
  }

  // Methods, since V8 calls its runtime for each use of a private getter, and these are used some ten times per command.
  #slicedBytes(): number {
    return this.#sliced === undefined ? 0 : this.#sliced.length;
  }

  #directBytes(): number {
    return this.#direct === undefined ? 0 : this.#direct.pending;
  }

  /** Bytes with the socket that the kernel has not taken. */
  #unwritten(): number {
    return this.#directBytes() + this.#wire.writableLength;
  }

  #write(bytes: Buffer): void {
    if (this.#wire.writableLength > 0 || this.#direct?.write(bytes) !== true) this.#wire.write(bytes);
  }

  #slice(pieces: readonly Buffer[]): void {
    this.#sliced ??= new SlicedReplies(this.#wire, this.#turns, () => this.#slicesSent());
    for (const bytes of pieces) this.#sliced.add(bytes);
    this.#sliced.start();
  }

  #slicesSent(): void {
    if (this.#isEnding) this.#wire.destroySoon();
    // Else the socket tells when it has.
    else if (this.#wire.writableNeedDrain !== true) this.#onDrained();
  }

  /** The kernel has taken what was written past the stream. */
  #taken(): void {
    // Else what came behind it will tell.
    if (this.#slicedBytes() === 0 && this.#wire.writableNeedDrain !== true) this.#onDrained();
  }

  #drained(): void {
    if (this.#slicedBytes() > 0) this.#sliced?.drained();
    else this.#onDrained();
  }

  #spend(bytes: number): void {
    if (bytes > LARGE_BYTES) this.#turns.spend(bytes);
  }

  #count(bytes: number): void {
    this.#traffic.bytesWritten += bytes;
    this.turnBytes += bytes;
    this.#sentBytes += bytes;
  }
}
