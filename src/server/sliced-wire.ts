import type { Socket } from 'node:net';
import { nextStep } from '../steps.ts';
import type { Wire } from './wire.ts';

/** Bytes that are handed to the socket in one go: to encrypt so many takes about a millisecond. */
const SLICE_BYTES = 512 * 1024;

/**
 * A socket with TLS, for a connection: Node encrypts whatever is written in one go, and keeps it, so a large value is
 * written a slice at a time, each once the one before is with the kernel, and one in each turn of the event loop.
 */
export class SlicedWire implements Wire {
  readonly #socket: Socket;
  /** What waits behind the slice under way, in the order of its writing. */
  #queue: Buffer[] = [];
  #queued = 0;
  /** A slice is under way. */
  #isWriting = false;
  #isEnding = false;
  #onDrain: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once('close', () => this.#clear());
  }

  get writableLength(): number {
    return this.#queued + this.#socket.writableLength;
  }

  get writableNeedDrain(): boolean {
    return this.#queued > 0 || this.#socket.writableNeedDrain;
  }

  get _handle(): NonNullable<Wire['_handle']> | null {
    return (this.#socket as Wire)._handle ?? null;
  }

  on(event: 'drain' | 'end' | 'close' | 'error', listener: () => void): this {
    if (event !== 'drain') {
      this.#socket.on(event, listener);
      return this;
    }
    this.#onDrain = listener;
    this.#socket.on('drain', () => {
      if (this.#queued === 0) listener();
    });
    return this;
  }

  write(bytes: Buffer): boolean {
    if (this.#queued === 0 && bytes.length <= SLICE_BYTES) return this.#socket.write(bytes);
    if (bytes.length === 0 || this.#socket.destroyed) return true;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#isWriting) void this.#writeSlice();
    return false;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#clear();
    this.#socket.destroy();
  }

  /** Ends once all is written. */
  destroySoon(): void {
    if (this.#queued > 0) this.#isEnding = true;
    else this.#socket.destroySoon();
  }

  async #writeSlice(): Promise<void> {
    this.#isWriting = true;
    await nextStep();
    let room = Math.min(SLICE_BYTES, this.#queued);
    // The socket was closed meanwhile.
    if (room === 0) return;
    this.#socket.cork();
    while (room > 0) {
      const first = this.#queue[0]!;
      const slice = first.subarray(0, room);
      if (slice.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(slice.length);
      room -= slice.length;
      this.#queued -= slice.length;
      if (room > 0) this.#socket.write(slice);
      else this.#socket.write(slice, () => this.#written());
    }
    this.#socket.uncork();
    if (this.#isEnding && this.#queued === 0) this.#socket.destroySoon();
  }

  /** A slice is with the kernel, or the socket is gone. */
  #written(): void {
    if (this.#queued > 0) {
      void this.#writeSlice();
      return;
    }
    this.#isWriting = false;
    // The socket itself tells of it only when the last slice was long.
    if (!this.#socket.writableNeedDrain) this.#onDrain();
  }

  #clear(): void {
    this.#queue = [];
    this.#queued = 0;
  }
}
