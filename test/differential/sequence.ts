import type { DifferenceName } from './differences.ts';

/** The cas unique that the server has shown for a key, the last one or the first. */
export interface CasSource {
  readonly casOf: string;
  readonly which: 'last' | 'first';
}

/** A run of equal characters. */
export interface Run {
  readonly run: string;
  readonly times: number;
}

/** A request of the binary protocol. Texts are Latin-1. */
export interface Packet {
  readonly opcode: number;
  readonly extras?: string;
  readonly key?: string;
  readonly value?: string | Run;
  readonly cas?: string | CasSource;
  readonly opaque?: number;
  /** Fields of the header that do not say what they should, or that servers overlook. */
  readonly header?: Partial<Record<'magic' | 'keyLength' | 'extrasLength' | 'dataType' | 'vbucket' | 'bodyLength', number>>;
}

/** Piece of a request: text as Latin-1, a run, a cas unique in digits, or a packet. */
export type Piece = string | Run | CasSource | { readonly packet: Packet };

/** One command of a sequence, or what may pass for one, with its data block. */
export interface Step {
  readonly pieces: readonly Piece[];
  /** The key that a cas unique in the reply belongs to, when the reply itself does not tell. */
  readonly key?: string;
  /** The key as it was sent, when that was in base64. */
  readonly base64Key?: string;
  /** The intended difference that the replies must show. */
  readonly difference?: DifferenceName;
  /** Everything before must be answered first: the outcome would else hang on how the bytes arrive. */
  readonly alone?: boolean;
  /** The counters that stats tells may differ from here on. */
  readonly isCountedOtherwise?: boolean;
  /** The server must close the connection. */
  readonly closes?: boolean;
  /** A line of the reply looks like that to the marker. */
  readonly repliesLikeMarker?: boolean;
}

/** Which of the protocols is spoken on a connection; the text one has the meta commands in it. */
export type Dialect = 'text' | 'binary';

/** Steps that one connection takes one after the other, and how its bytes are cut into writes. */
export interface Visit {
  readonly dialect: Dialect;
  readonly steps: readonly Step[];
  /** Lengths of the writes, over and over; empty = all at once. */
  readonly cuts: readonly number[];
  /** A connection that stays open for later visits with the same number; without one the visit has its own. */
  readonly connection?: number;
}

/** Visits one after the other. Before some of them a server that persists is killed and started again. */
export interface Sequence {
  readonly visits: readonly Visit[];
  readonly restartBefore: number | undefined;
  /** True when it is played to a server with little memory, too, which is made to forget all before each visit. */
  readonly isReadFromDisk: boolean;
}
