import { type Command, Op } from '../cache/command.ts';
import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import { NEED_MORE } from '../protocol/text-parser.ts';
import { COPIED_VALUE_BYTES } from '../store/tuning.ts';
import { type CurrentCommand, detach } from './current-command.ts';
import type { Dialect } from './dialect.ts';
import type { Session } from './session.ts';

const CR = 0x0d;
const LF = 0x0a;

/** A storage command whose data block is still arriving. */
interface Collecting {
  readonly command: Command;
  /** The value and its trailer. */
  readonly block: Buffer;
  filled: number;
}

/**
 * Takes one command after the other, with its data block, out of what a connection reads, however that is cut. A data
 * block that does not come whole is collected in memory of its own; one that is refused is skipped.
 */
export class CommandReader {
  readonly #session: Session;
  readonly #current: CurrentCommand;
  readonly #out: ReplyBuffer;
  #collecting: Collecting | undefined;
  /** Bytes of a refused data block still to come. */
  #toSkip = 0;
  /** How much of the input was searched for a line end already. */
  #searched = 0;

  /** What is read becomes the `current` command; `out` takes the refusal of a data block. */
  constructor(session: Session, current: CurrentCommand, out: ReplyBuffer) {
    this.#session = session;
    this.#current = current;
    this.#out = out;
  }

  /** True while a data block is arriving. */
  get isCollecting(): boolean {
    return this.#collecting !== undefined;
  }

  /** True while the rest of a refused data block is to come. */
  get isSkipping(): boolean {
    return this.#toSkip > 0;
  }

  /** Bytes there are of a data block that is still arriving. */
  get collectedBytes(): number {
    return this.#collecting === undefined ? 0 : this.#collecting.filled;
  }

  /** Passes over the next bytes of the input. */
  skip(bytes: number): void {
    this.#toSkip = bytes;
  }

  /** Gives up the data block that is arriving: nothing more will be read. */
  drop(): void {
    this.#collecting = undefined;
  }

  /** Takes bytes from the midst of a data block. False, and nothing is taken, where they reach its end or none is arriving. */
  collect(bytes: Buffer, length: number): boolean {
    const collecting = this.#collecting;
    if (collecting === undefined || collecting.filled + length >= collecting.block.length) return false;
    bytes.copy(collecting.block, collecting.filled, 0, length);
    collecting.filled += length;
    return true;
  }

  /**
   * Finds the next command and makes it the current one, with its data block; there is still none where a data block was
   * refused. Returns where the input goes on, or -1 - where it is incomplete.
   *
   * REQUIRES: there is no current command; `from` is 0 at the front of the input, and only there.
   */
  next(dialect: Dialect, bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (this.#toSkip > 0) {
      const skipped = Math.min(this.#toSkip, end - at);
      this.#toSkip -= skipped;
      at += skipped;
    }
    if (this.#collecting !== undefined) {
      const { command, block } = this.#collecting;
      const copied = Math.min(block.length - this.#collecting.filled, end - at);
      bytes.copy(block, this.#collecting.filled, at, at + copied);
      this.#collecting.filled += copied;
      at += copied;
      if (this.#collecting.filled < block.length) return -1 - at;
      this.#collecting = undefined;
      this.#take(dialect, command, block, 0, command.length, true);
      return at;
    }
    if (at >= end) return -1 - at;
    const used = dialect.parse(bytes, at, end, Math.max(at, from === 0 ? this.#searched : at), this.#session);
    if (used === NEED_MORE) {
      this.#searched = end - at;
      return -1 - at;
    }
    this.#searched = 0;
    at += used;
    const { command } = dialect;
    if (!dialect.hasBlock(command)) {
      if (command.op === Op.refused) this.#toSkip = command.skip;
      this.#current.command = command;
      return at;
    }
    if (dialect.isTooLarge(command)) {
      this.#current.command = command;
      this.#current.isTooLarge = true;
      return at;
    }
    const blockLength = command.length + dialect.trailer;
    if (end - at >= blockLength) {
      this.#take(dialect, command, bytes, at, at + command.length, false);
      return at + blockLength;
    }
    const block = Buffer.allocUnsafeSlow(blockLength);
    bytes.copy(block, 0, at, end);
    this.#collecting = { command: detach(dialect, command), block, filled: end - at };
    return -1 - end;
  }

  /** Takes a complete data block: makes its command the current one, or refuses it when it does not end in its trailer. */
  #take(dialect: Dialect, command: Command, bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (dialect.trailer > 0 && (bytes[end] !== CR || bytes[end + 1] !== LF)) {
      dialect.refuseBlock(command, this.#out);
      return;
    }
    const current = this.#current;
    current.command = command;
    // The store copies a small one anyway.
    const mayBorrow = owned || end - start <= COPIED_VALUE_BYTES;
    current.value = mayBorrow ? bytes.subarray(start, end) : Buffer.from(bytes.subarray(start, end));
    current.isValueBorrowed = mayBorrow && !owned;
  }
}
