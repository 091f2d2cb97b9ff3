import type { Dialect } from './dialect.ts';

/**
 * Replies of a connection that wait for a commit, and all that came after them, in their order. It is known which parts
 * depend on the commit: those become errors if it fails. Large values among them are nobody's copies.
 */
export class HeldReplies {
  /** Undefined when nothing waits. */
  #pieces: Buffer[] | undefined;
  #length = 0;
  /** Where those lie that depend on the commit: start, end, number of the command. */
  #spans: number[] = [];

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

  /** Appends the replies of several commands; `spans`, as above, tells which parts of them depend on the commit. */
  addReplies(bytes: Buffer, spans: readonly number[]): void {
    const shift = this.#length;
    this.add(bytes);
    for (let i = 0; i + 2 < spans.length; i += 3) this.#spans.push(shift + spans[i]!, shift + spans[i + 1]!, spans[i + 2]!);
  }

  /** Has the last part that depends on the commit reach to the end: it was added in several pieces. */
  stretch(): void {
    this.#spans[this.#spans.length - 2] = this.#length;
  }

  /** True when the last part that depends on the commit belongs to the command of this number. */
  endsWith(serial: number): boolean {
    const spans = this.#spans;
    return spans.at(-1) === serial && spans.at(-2)! > spans.at(-3)!;
  }

  /** Hands over all of them, to be sent; nothing waits any more. */
  release(): readonly Buffer[] {
    const pieces = this.#pieces ?? [];
    this.#pieces = undefined;
    this.#length = 0;
    this.#spans = [];
    return pieces;
  }

  /** The same when what was to be committed could not be: with errors in the place of what depended on it. */
  releaseFailed(dialect: Dialect): readonly Buffer[] {
    const spans = this.#spans;
    const pieces = this.release();
    if (pieces.length === 0) return pieces;
    const held = Buffer.concat(pieces);
    const parts: Buffer[] = [];
    let at = 0;
    // A reply written in several parts is replaced by one error.
    let failed = 0;
    for (let i = 0; i + 2 < spans.length; i += 3) {
      parts.push(held.subarray(at, spans[i]));
      if (spans[i + 1]! > spans[i]! && spans[i + 2] !== failed) {
        parts.push(dialect.writeFailure(held.subarray(spans[i], spans[i + 1])));
        failed = spans[i + 2]!;
      }
      at = spans[i + 1]!;
    }
    parts.push(held.subarray(at));
    return [Buffer.concat(parts)];
  }
}
