import { nextStep, STEP_BYTES } from '../steps.ts';
import { crc32 } from './crc32.ts';

/** The CRC-32 of pieces that follow each other, as `crc32` of them in one, a step of the event loop at a time. */
export async function crc32InSteps(pieces: readonly Buffer[], before: number = 0): Promise<number> {
  let crc = before;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      await nextStep();
      crc = crc32(piece, at, Math.min(piece.length, at + STEP_BYTES), crc);
    }
  }
  return crc;
}
