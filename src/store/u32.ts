/**
 * Writes a whole number below 2^32, little endian. `Buffer.writeUInt32LE` is looked up anew by each call (V8 keeps the methods of
 * Buffer in a dictionary) and checks what cannot be else, and a set writes seventeen numbers
 * (`npm run bench -- --micro`, "write a row of a value in the log").
 */
export function writeU32(bytes: Uint8Array, at: number, n: number): void {
  bytes[at] = n;
  bytes[at + 1] = n >>> 8;
  bytes[at + 2] = n >>> 16;
  bytes[at + 3] = n >>> 24;
}
