/** Something that takes bytes from outside, and what must hold of it whatever they are. */
export interface Target {
  readonly name: string;
  /** Inputs to begin with: what really comes. */
  readonly seeds: readonly Buffer[];
  /** Words that mean something to it. */
  readonly words: readonly string[];
  /** Bytes of an input at most. */
  readonly maxBytes?: number;
  /** Bytes of buffers that all it does for one input may make, where that is much for what it replies. */
  readonly bufferBytes?: number;
  /** Called before the first input, and again where former inputs must not count any more. */
  reset?(): Promise<void>;
  /** Throws when what must hold does not. Works the same each time it gets the same bytes. */
  run(input: Buffer): void | Promise<void>;
  close?(): Promise<void>;
}

/** Throws when a statement about a run is false. */
export function holds(isTrue: boolean, statement: string): asserts isTrue {
  if (!isTrue) throw new Error(`does not hold: ${statement}`);
}

/** Runs `work` and gives what it threw if `isExpected` says that it may; all else is thrown on. */
export function refusalOf<T>(work: () => T, isExpected: (error: unknown) => boolean): T | Error {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && isExpected(error)) return error;
    throw error;
  }
}
