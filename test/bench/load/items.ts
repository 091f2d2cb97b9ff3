import { Random, scramble } from './random.ts';

/** Hexadecimal digits that name an item: the tail of its key and the head of its value. */
export const NAME_BYTES = 16;

const POOL_BYTES = 2 ** 20;
const RUN_BYTES = 32;
const HEX = Buffer.from('0123456789abcdef');
/** Makes the second half of a name differ from the first; any constant would do. */
const SECOND_HALF = 0x5bd1e995;

/**
 * Writes the name of item `id` at `at`. Names of neighbouring ids are far apart, so that filling in order of ids
 * does not reach a sorted store in order of keys.
 */
export function writeName(target: Uint8Array, at: number, id: number): void {
  writeHex(target, at, scramble(id));
  writeHex(target, at + NAME_BYTES / 2, scramble(id ^ SECOND_HALF));
}

function writeHex(target: Uint8Array, at: number, value: number): void {
  for (let digit = 0; digit < NAME_BYTES / 2; digit += 1) target[at + digit] = HEX[(value >>> (28 - 4 * digit)) & 15] ?? 0;
}

/** Random bytes of which every second run of 32 repeats the one before: block compression halves them. */
export class ValuePool {
  readonly #bytes = Buffer.allocUnsafe(POOL_BYTES);

  constructor(seed: number) {
    const random = new Random(seed);
    for (let at = 0; at < POOL_BYTES; at += 2 * RUN_BYTES) {
      for (let offset = 0; offset < RUN_BYTES; offset += 1) this.#bytes[at + offset] = random.below(256);
      this.#bytes.copy(this.#bytes, at + RUN_BYTES, at, at + RUN_BYTES);
    }
  }

  /** Writes a value of item `id`: its name, then bytes from anywhere in the pool, so that rewriting changes them. */
  writeValue(target: Buffer, at: number, length: number, id: number, random: Random): void {
    writeName(target, at, id);
    let done = NAME_BYTES;
    while (done < length) {
      const from = random.below(POOL_BYTES / 2);
      done += this.#bytes.copy(target, at + done, from, Math.min(POOL_BYTES, from + length - done));
    }
  }
}
