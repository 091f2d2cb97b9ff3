import type { U64 } from '../item.ts';
import { parseStoredNumber } from '../numbers.ts';
import { addWrapping, subtractToZero } from './arithmetic.ts';

/** What incr or decr makes of a stored value. */
export interface DeltaResult {
  readonly number: U64;
  /** The new value: the number, padded with blanks to the old length where it is shorter. */
  readonly value: Buffer;
}

/**
 * Adds to a stored decimal number (wrapping at 2^64) or subtracts from it (stopping at 0). Pure.
 * Undefined when the value is no number.
 */
export function addDelta(value: Buffer, delta: U64, increment: boolean): DeltaResult | undefined {
  const stored = parseStoredNumber(value, 0, value.length);
  if (stored === undefined) return undefined;
  const number = increment ? addWrapping(stored, delta) : subtractToZero(stored, delta);
  return { number, value: Buffer.from(String(number).padEnd(value.length, ' '), 'latin1') };
}
