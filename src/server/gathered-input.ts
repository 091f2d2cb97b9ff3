/** Bytes from which room is left behind what is gathered. Below, Node takes memory from a pool, and a copy is cheap. */
const ROOM_FROM = 4096;
/** Most room that is left: what is read at once. */
const ROOM_MAX = 64 * 1024;

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
