/** Bytes from which room is left behind what is gathered. Below, Node takes memory from a pool, and a copy is cheap. */
const ROOM_FROM = 4096;
/** Most room that is left: what is read at once. */
const ROOM_MAX = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Input of a connection that cannot be used yet, and what came behind it, as one buffer. `room` is the memory of an input
 * that an earlier call returned, if that had room: then nothing but `more` is copied. A client that sends a long line byte
 * by byte would otherwise have all of it copied for each byte.
 *
 * REQUIRES: nobody but `input` uses what lies behind it in `room`.
 */
export function gather(input: Buffer, more: Buffer, room: ArrayBufferLike | undefined): Buffer {
  const length = input.length + more.length;
  if (input.buffer === room && input.byteOffset + length <= room.byteLength) {
    const longer = Buffer.from(room, input.byteOffset, length);
    more.copy(longer, input.length);
    return longer;
  }
  if (length < ROOM_FROM) return Buffer.concat([input, more]);
  const longer = Buffer.allocUnsafeSlow(length + Math.min(length, ROOM_MAX));
  input.copy(longer);
  more.copy(longer, input.length);
  return longer.subarray(0, length);
}

/** The memory of an input that was gathered, if it is its alone. */
export function roomOf(input: Buffer): ArrayBufferLike | undefined {
  return input.length < ROOM_FROM ? undefined : input.buffer;
}

/** What a connection has read and not used yet. */
export class UnusedInput {
  /** Undefined when there is none, never empty; memory of our own. */
  #bytes: Buffer | undefined;
  /** Memory with room for more behind the input. */
  #room: ArrayBufferLike | undefined;

  get length(): number {
    return this.#bytes === undefined ? 0 : this.#bytes.length;
  }

  /** All of it, to be looked at; undefined when there is none. */
  get bytes(): Buffer | undefined {
    return this.#bytes;
  }

  /** Adds a copy of what was read. */
  add(more: Buffer): void {
    if (this.#bytes === undefined) {
      this.#bytes = Buffer.from(more);
      return;
    }
    this.#bytes = gather(this.#bytes, more, this.#room);
    this.#room = roomOf(this.#bytes);
  }

  /** Hands all of it over. */
  take(): Buffer {
    const bytes = this.#bytes ?? NOTHING;
    this.#bytes = undefined;
    return bytes;
  }

  /** Keeps what was not used of some bytes; `owned`: they were taken from here, or else they are copied. */
  leave(bytes: Buffer, start: number, end: number, owned: boolean): void {
    const rest = bytes.subarray(start, end);
    this.#bytes = owned ? rest : Buffer.from(rest);
  }

  /** Forgets all of it, and the memory that it lay in. */
  drop(): void {
    this.#bytes = undefined;
    this.#room = undefined;
  }
}
