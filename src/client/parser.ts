import { InvalidArgumentError } from 'commander';
import type { ValueType } from '../config/value-type.ts';

/** Lets commander read a value by one of the project's value types. */
export function parser<T>(type: ValueType<T>): (word: string) => T {
  return (word) => {
    const parsed = type.parse(word);
    if (!parsed.ok) throw new InvalidArgumentError(`Allowed is ${type.allowed}.`);
    return parsed.value;
  };
}
