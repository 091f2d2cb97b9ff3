import { crc32 } from 'node:zlib';
import { Random } from '../faults/random.ts';

/** Numbers that an input determines, so that a run of it can be repeated. */
export function randomOf(input: Buffer): Random {
  return new Random(crc32(input) | 0);
}

/** An input in pieces, always the same ones. */
export function cutAtRandom(input: Buffer): Buffer[] {
  const random = randomOf(input);
  const longest = random.chance(0.3) ? 3 : random.chance(0.5) ? 40 : 2000;
  const pieces: Buffer[] = [];
  for (let at = 0; at < input.length; ) {
    const length = random.between(1, longest);
    pieces.push(input.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
