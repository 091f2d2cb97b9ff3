import type { Wire } from './wire.ts';

/** A write request of Node's, as its sockets make one for each write. */
interface WriteRequest {
  /** Kept until the write is over. */
  buffer?: Buffer;
  oncomplete?: (status: number) => void;
}

/** The parts of the handle behind a socket that are used here; none of them is documented. */
interface Handle {
  /** Bytes that libuv holds because the kernel did not take them. */
  readonly writeQueueSize?: number;
  /** Writes what the kernel takes at once; the rest is queued, and `oncomplete` called later. Returns 0, or an error. */
  writeBuffer?: (request: WriteRequest, bytes: Buffer) => number;
}

/** Node's class of write requests, once a socket has shown it. */
let Request: (new () => WriteRequest) | undefined;
/** A request that no write has used: those that the kernel takes at once leave it as it is. */
let spare: WriteRequest | undefined;

/**
 * Writes to a plain socket without Node's streams, as long as nothing waits there: their bookkeeping was a twentieth of the CPU of a
 * get of 1 KB (docs/benchmarks.md, "Odd numbers"). Where Node does not let us, `write` takes nothing, and the stream is to be used.
 */
export class DirectWriter {
  readonly #wire: Wire;
  readonly #onTaken: () => void;
  #pending = 0;

  /** `onTaken` is called when the kernel has taken what is pending. */
  constructor(wire: Wire, onTaken: () => void) {
    this.#wire = wire;
    this.#onTaken = onTaken;
  }

  /** Bytes of a write that the kernel has not taken at once, and may not have taken yet. They must not change. */
  get pending(): number {
    return this.#pending;
  }

  /** Writes the bytes. False when they were not taken: then the stream is to write them. REQUIRES: the stream has nothing unsent. */
  write(bytes: Buffer): boolean {
    if (this.#pending > 0) return false;
    const handle: Handle | null | undefined = this.#wire._handle;
    if (handle?.writeBuffer === undefined) return false;
    if (Request === undefined) {
      learnRequest(handle);
      return false;
    }
    const request = (spare ??= new Request());
    const error = handle.writeBuffer(request, bytes);
    if (error === 0 && handle.writeQueueSize === 0) return true;
    spare = undefined;
    // What is wrong with the socket it will tell the stream as well.
    if (error !== 0) return false;
    this.#pending = bytes.length;
    request.buffer = bytes;
    request.oncomplete = (status) => {
      this.#pending = 0;
      if (status < 0) this.#wire.destroy();
      else this.#onTaken();
    };
    return true;
  }
}

/** Has the next write of the stream show its request. */
function learnRequest(handle: Handle): void {
  const write = handle.writeBuffer!;
  handle.writeBuffer = function shown(this: Handle, request: WriteRequest, bytes: Buffer): number {
    delete handle.writeBuffer;
    // Anything else would not do for a write that the kernel does not take at once.
    if (request.constructor.name === 'WriteWrap') Request = request.constructor as new () => WriteRequest;
    return write.call(this, request, bytes);
  };
}
