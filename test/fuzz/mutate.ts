import type { Random } from '../faults/random.ts';

/** Numbers at which arithmetic breaks, as text has them. */
const NUMBERS = [
  '0', '-1', '1', '-0', '00', '255', '256', '65535', '65536', '1048576', '2147483647', '2147483648', '2147483649', '-2147483648', '-2147483649',
  '4294967295', '4294967296', '9007199254740991', '9007199254740993', '9223372036854775807', '9223372036854775808', '18446744073709551615',
  '18446744073709551616', '1000000000000000000000000000000', '-9223372036854775809', '1e9', '0x10', '+1', '1.5', 'NaN',
] as const;

/** What ends lines, or nearly does. */
const ENDS = ['\r\n', '\n', '\r', '\r\r\n', '\n\r', '\0', ' \r\n', '\0\r\n', '\n\n', '\t', ' ', '  '] as const;

/** The same for numbers of 8, 16, 32 and 64 bits, in either order. */
const BINARY_NUMBERS: readonly Buffer[] = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]
  .flatMap((number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(number);
    return [1, 2, 4, 8].flatMap((length) => {
      const cut = Buffer.from(bytes.subarray(8 - length));
      return length === 1 ? [cut] : [cut, Buffer.from(cut.toReversed())];
    });
  });

/** What a mutation may draw on. */
export interface Material {
  readonly words: readonly string[];
  /** Another input, for what is taken over from it. */
  readonly other: () => Buffer;
  readonly maxBytes: number;
}

/** A changed copy of an input. */
export function mutate(input: Buffer, random: Random, material: Material): Buffer {
  let bytes = input;
  for (let left = random.chance(0.5) ? 1 : random.between(1, 8); left > 0; left--) bytes = mutateOnce(bytes, random, material);
  return bytes.length > material.maxBytes ? bytes.subarray(0, material.maxBytes) : bytes;
}

function mutateOnce(bytes: Buffer, random: Random, { words, other, maxBytes }: Material): Buffer {
  const at = random.between(0, bytes.length);
  const length = Math.min(bytes.length - at, random.between(1, random.chance(0.1) ? 600 : 12));
  switch (random.between(0, 13)) {
    case 0: { // a bit
      if (at === bytes.length) return bytes;
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << random.between(0, 7);
      return changed;
    }
    case 1: { // a byte
      if (at === bytes.length) return bytes;
      const changed = Buffer.from(bytes);
      changed[at] = random.between(0, 255);
      return changed;
    }
    case 2: // left out
      return replace(bytes, at, length, '');
    case 3: // repeated
      return replace(bytes, at, 0, bytes.subarray(at, at + length));
    case 4: { // repeated often
      const piece = bytes.subarray(at, at + length);
      const times = Math.min(random.between(2, 300), Math.floor((maxBytes - bytes.length) / Math.max(1, length)));
      return times < 1 ? bytes : replace(bytes, at, 0, Buffer.concat(Array.from({ length: times }, () => piece)));
    }
    case 5: // cut off
      return bytes.subarray(0, at);
    case 6: { // spliced
      const second = other();
      return Buffer.concat([bytes.subarray(0, at), second.subarray(random.between(0, second.length))]);
    }
    case 7: { // taken over
      const second = other();
      const from = random.between(0, second.length);
      return replace(bytes, at, random.chance(0.5) ? length : 0, second.subarray(from, from + random.between(1, 64)));
    }
    case 8:
      return replace(bytes, at, random.chance(0.3) ? length : 0, pick(ENDS, random));
    case 9: {
      const end = lineEnd(bytes, at);
      return end < 0 ? bytes : replace(bytes, end, 1, pick(ENDS, random));
    }
    case 10:
      return words.length === 0 ? bytes : replace(bytes, at, random.chance(0.5) ? length : 0, pick(words, random));
    case 11: {
      const number = pick(BINARY_NUMBERS, random);
      return replace(bytes, at, random.chance(0.9) ? number.length : 0, number);
    }
    case 12: // a few bytes of anything
      return replace(bytes, at, random.chance(0.5) ? length : 0, Buffer.from(Array.from({ length }, () => random.between(0, 255))));
    default:
      return changeNumber(bytes, at, random);
  }
}

/** Puts another number in the place of the next one in the text. */
function changeNumber(bytes: Buffer, from: number, random: Random): Buffer {
  let at = from;
  while (at < bytes.length && !isDigit(bytes[at]!)) at++;
  let end = at;
  while (end < bytes.length && isDigit(bytes[end]!)) end++;
  if (at === end) return bytes;
  const near = random.chance(0.3) && end - at < 10;
  const number = near ? String(Number(bytes.toString('latin1', at, end)) + random.between(-2, 2)) : pick(NUMBERS, random);
  return replace(bytes, at, end - at, number);
}

function lineEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(0x0a, from);
  return end >= 0 ? end : bytes.indexOf(0x0a);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function replace(bytes: Buffer, at: number, length: number, by: string | Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), typeof by === 'string' ? Buffer.from(by, 'latin1') : by, bytes.subarray(Math.min(bytes.length, at + length))]);
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.between(0, from.length - 1)]!;
}
