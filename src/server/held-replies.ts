import { STEP_BYTES } from '../steps.ts';
import type { Dialect } from './dialect.ts';

/** Numbers of spans that a connection keeps memory for. */
export const KEPT_SPANS = 192;

/**
 * Replies of a connection that wait for a commit, and all that came after them, in their order. It is known which parts
 * depend on the commit: those become errors if it fails. Large values among them are nobody's copies.
 */
export class HeldReplies {
  /** Undefined when nothing waits. */
  #pieces: Buffer[] | undefined;
  #length = 0;
  /** Where those lie that depend on the commit: start, end, number of the command. */
  readonly #spans: number[] = [];
  /** How many numbers of these count: an array that is filled anew each time need not grow anew. */
  #spansLength = 0;

  /** True while something waits, if only for its turn: the commit of a command without a reply. */
  get isWaiting(): boolean {
    return this.#pieces !== undefined;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Appends bytes, which stay as they are. */
  add(bytes: Buffer): void {
    this.#pieces ??= [];
    if (bytes.length > 0) this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** Appends the replies of several commands; the first `count` of `spans`, as above, tell which parts of them depend on the commit. */
  addReplies(bytes: Buffer, spans: readonly number[], count: number): void {
    const shift = this.#length;
    this.add(bytes);
    for (let i = 0; i + 2 < count; i += 3) {
      this.#spans[this.#spansLength++] = shift + spans[i]!;
      this.#spans[this.#spansLength++] = shift + spans[i + 1]!;
      this.#spans[this.#spansLength++] = spans[i + 2]!;
    }
  }

  /** Has the last part that depends on the commit reach to the end: it was added in several pieces. */
  stretch(): void {
    this.#spans[this.#spansLength - 2] = this.#length;
  }

  /** True when the last part that depends on the commit belongs to the command of this number. */
  endsWith(serial: number): boolean {
    const spans = this.#spans;
    const last = this.#spansLength - 3;
    return last >= 0 && spans[last + 2] === serial && spans[last + 1]! > spans[last]!;
  }

  /** Hands over all of them, to be sent; nothing waits any more. */
  release(): readonly Buffer[] {
    const pieces = this.#pieces ?? [];
    this.#pieces = undefined;
    this.#length = 0;
    this.#spansLength = 0;
    if (this.#spans.length > KEPT_SPANS) this.#spans.length = 0;
    return pieces;
  }

  /** The same when what was to be committed could not be: with errors in the place of what depended on it. */
  releaseFailed(dialect: Dialect): readonly Buffer[] {
    const spans = this.#spans.slice(0, this.#spansLength);
    const held = new Pieces(this.release());
    const parts: Buffer[] = [];
    // A reply written in several parts is replaced by one error.
    let failed = 0;
    for (let i = 0; i + 2 < spans.length; i += 3) {
      parts.push(...held.upTo(spans[i]!));
      const replies = held.upTo(spans[i + 1]!);
      if (replies.length === 0 || spans[i + 2] === failed) continue;
      // A large value ends the reply that it is in, and to copy it would hold everybody up.
      parts.push(dialect.writeFailure(Buffer.concat(replies.filter(({ length }) => length <= STEP_BYTES))));
      failed = spans[i + 2]!;
    }
    parts.push(...held.upTo(Number.POSITIVE_INFINITY));
    return parts;
  }
}

/** Bytes that lie in pieces, taken from the front without copying them. */
class Pieces {
  readonly #pieces: readonly Buffer[];
  #next = 0;
  /** Where the next piece begins, and how far all was taken. */
  #start = 0;
  #at = 0;

  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces;
  }

  /** What there is from where the last call ended up to a position. */
  upTo(end: number): Buffer[] {
    const found: Buffer[] = [];
    while (this.#at < end && this.#next < this.#pieces.length) {
      const piece = this.#pieces[this.#next]!;
      const stop = Math.min(end, this.#start + piece.length);
      found.push(piece.subarray(this.#at - this.#start, stop - this.#start));
      this.#at = stop;
      if (stop < this.#start + piece.length) continue;
      this.#start = stop;
      this.#next++;
    }
    return found;
  }
}
