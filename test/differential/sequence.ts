import type { DifferenceName } from './differences.ts';

/**
 * Piece of a request: text as Latin-1, a run of equal characters, or the cas unique that the server has shown for a
 * key, the last one or the first.
 */
export type Piece = string | { readonly run: string; readonly times: number } | { readonly casOf: string; readonly which: 'last' | 'first' };

/** One command of a sequence, or what may pass for one, with its data block. */
export interface Step {
  readonly pieces: readonly Piece[];
  /** The intended difference that the replies must show. */
  readonly difference?: DifferenceName;
  /** Everything before must be answered first: the outcome would else hang on how the bytes arrive. */
  readonly alone?: boolean;
  /** The counters that stats tells may differ from here on. */
  readonly isCountedOtherwise?: boolean;
  /** The server must close the connection. */
  readonly closes?: boolean;
}

/** The steps of one connection, and how its bytes are cut into writes. */
export interface Visit {
  readonly steps: readonly Step[];
  /** Lengths of the writes, over and over; empty = all at once. */
  readonly cuts: readonly number[];
}

/** Visits one after the other. Before some of them a server that persists is killed and started again. */
export interface Sequence {
  readonly visits: readonly Visit[];
  readonly restartBefore: number | undefined;
}
