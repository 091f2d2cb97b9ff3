import type { Command, Op } from '../cache/command.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import type { Session } from './session.ts';

/**
 * What became of a command:
 * - `done`: executed, its reply is written. If `staged` is set, it holds only once everything staged is committed.
 * - `load`: not executed further; its keys must be loaded first.
 * - `flush`: there is much to send; send it and call again.
 * - `turn`: many keys are answered; call again after others had their turn.
 * - `room`: a large value comes next, and there is no memory for it just now; call again when there is.
 * - `later`: executed in the background; `pending` resolves to the reply.
 * - `value`: a value too large to be copied follows, without its trailer; `takeValue` gives it; call again.
 * - `stream`: executed in the background; the reply comes in the pieces of `stream`.
 * - `watch`: the connection only receives what is pushed to it from now on.
 * - `authenticated`: executed, and the connection goes on in the text protocol proper.
 * - `close`: the connection must be closed after the replies.
 */
export type Step = 'done' | 'load' | 'flush' | 'turn' | 'room' | 'later' | 'value' | 'stream' | 'watch' | 'authenticated' | 'close';

/** Values from this size on are handed to the socket as they are, when nobody else can change them. */
export const UNCOPIED_VALUE_BYTES: number = 32 * 1024;
/** Replies above this are sent before the rest of a multi-get is looked up, so that memory stays bounded. */
export const FLUSH_BYTES: number = 256 * 1024;

/** Keys of one command that are answered before others get their turn: about a millisecond's worth. */
export const KEYS_PER_TURN = 1000;

/** An answer to a command: the connection becomes a watcher, after `OK`. */
export const WATCH: unique symbol = Symbol('watch');
/** An answer to a command: the connection ends without a word. */
export const CLOSE: unique symbol = Symbol('close');
/** What an administrative command came to: the whole reply, now or later, a reply in pieces, or an end of commands. */
export type Answer = string | Promise<string> | AsyncIterable<Buffer> | typeof WATCH | typeof CLOSE;

/** What commands need besides the cache. */
export interface Administration {
  readonly version: string;
  /** stats: the whole reply, in text. */
  stats(words: readonly string[], session: Session): Promise<string> | string;
  /** shutdown, cache_memlimit, refresh_certs, slabs, lru, lru_crawler, watch: `words` begins with which. */
  command(words: readonly string[], session: Session): Answer;
  /** False when flush_all is not allowed. */
  readonly flushAllowed: boolean;
  /** expire and its control commands. */
  expire(words: readonly string[], session: Session): Answer;
  sync(): Promise<void>;
  /** verbosity: how much is logged from now on. */
  setVerbosity(level: number, session: Session): Answer;
}

/**
 * One way of speaking to the cache: how commands are parsed, executed and answered. Shared by all
 * connections that speak it; what it holds is good for the step under way.
 */
export interface Dialect {
  /** The command that `parse` fills. */
  readonly command: Command;
  /** Bytes that follow a data block and a value: 2 for CRLF, or 0. */
  readonly trailer: number;
  /** The reply of the last step `later`. */
  readonly pending: Promise<Buffer> | undefined;
  /** The reply of the last step `stream`. */
  readonly stream: AsyncIterable<Buffer> | undefined;
  /** Keys of a retrieval command that are already answered, after steps `load`, `value`, `flush`, `turn` and `room`. */
  readonly answered: number;
  /** Set when a command staged a mutation; the caller clears it. */
  staged: boolean;
  /** Parses the next command without its data block: the bytes it takes, or 0 when it is not complete. */
  parse(bytes: Buffer, start: number, end: number, scanFrom: number, session: Session): number;
  /** Hands over the value of the last step `value`: it may be large, and lives no longer than who sends it. */
  takeValue(): Buffer;
  /** Leaves `command` to who keeps it: the next is parsed into a new one. */
  renew(): void;
  /** True when `command.length` bytes and the trailer follow a command. */
  hasBlock(command: Command): boolean;
  /** Reports the keys of complete commands in some bytes. */
  peekKeys(bytes: Buffer, start: number, end: number, limit: number, onKey: (start: number, end: number, op: Op) => void): void;
  /** Has memory fetched that the gets and sets next in a pipeline will touch; undefined = the dialect does not. */
  prefetch?(bytes: Buffer, start: number, end: number): void;
  /** True when the data block that a command announces cannot be stored. */
  isTooLarge(command: Command): boolean;
  /** Answers a command whose value is too large; its data block is then skipped. */
  refuseTooLarge(command: Command, out: ReplyBuffer): Step;
  /** Answers a command whose data block did not end as it should. */
  refuseBlock(command: Command, out: ReplyBuffer): void;
  /**
   * Executes a command. `value` is its data block. `answered` tells how many keys of a retrieval command
   * were answered in former calls.
   */
  execute(command: Command, value: Buffer | undefined, answered: number, session: Session, out: ReplyBuffer): Step;
  /** The reply to a command whose keys could not be read; empty when none is wanted. */
  readFailure(command: Command): Buffer;
  /** The reply to a command of a step `later` that failed. */
  laterFailure(command: Command, error: Error): Buffer;
  /** What to send instead of replies to mutations that could not be committed. */
  writeFailure(replies: Buffer): Buffer;
}
