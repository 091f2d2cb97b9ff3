import { SlicedQueue } from './sliced-queue.ts';

/**
 * Bytes of a large value that are worked on in one step of the event loop, and the length above which a value is large: a
 * checksum of so many takes some 2 ms, a copy up to 10, and to begin a step is nothing beside it.
 */
export const STEP_BYTES: number = 4 * 2 ** 20;

/** Who waits for a step: one is more than a slice of no time, so that each has a turn of the event loop for itself. */
const waiting = new SlicedQueue(0);

/**
 * Resolves when a step of work on a large value may be done: one in each turn of the event loop, whoever asks, so that
 * others wait for no more than that however many large values are worked on.
 */
export function nextStep(): Promise<void> {
  return new Promise((resolve) => waiting.add(resolve));
}

/** Pieces that follow each other as one buffer, copied a step of the event loop at a time. */
export async function joinInSteps(pieces: readonly Buffer[]): Promise<Buffer> {
  const joined = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      await nextStep();
      end += piece.copy(joined, end, at, at + STEP_BYTES);
    }
  }
  return joined;
}
