import type { TurnQueue } from './turn-queue.ts';
import type { Wire } from './wire.ts';

/**
 * Bytes that are handed to the socket in one go. A megabyte would keep the kernel, or encryption, busy while
 * others wait; and Node keeps a copy of what it has encrypted until the client has read it.
 */
export const SLICE_BYTES: number = 128 * 1024;

/**
 * Long replies of one connection on their way to its socket: a slice at a time, each in a turn of its own, and none before the
 * kernel has taken the one before.
 */
export class SlicedReplies {
  readonly #wire: Wire;
  readonly #turns: TurnQueue;
  readonly #onSent: () => void;
  /** In the order of their sending. */
  #pieces: Buffer[] = [];
  #length = 0;
  #waitsFor: 'nothing' | 'turn' | 'kernel' = 'nothing';

  /** `onSent` is called when the last slice of all there was is with the socket. */
  constructor(wire: Wire, turns: TurnQueue, onSent: () => void) {
    this.#wire = wire;
    this.#turns = turns;
    this.#onSent = onSent;
  }

  /** Bytes that the socket has not got. */
  get length(): number {
    return this.#length;
  }

  /** True while it is not the client that holds them up. */
  get isWaitingForTurn(): boolean {
    return this.#waitsFor === 'turn';
  }

  /** Adds bytes that do not change any more. */
  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** Begins to send what was added, if that has not begun: at once, unless enough was sent in this turn of the event loop. */
  start(): void {
    if (this.#waitsFor !== 'nothing' || this.#length === 0) return;
    if (this.#turns.isSpent) this.#waitForTurn();
    else this.#sendSlice();
  }

  /** The kernel has taken what the socket had. */
  drained(): void {
    if (this.#waitsFor === 'kernel') this.#waitForTurn();
  }

  /** Gives up what was not sent. */
  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }

  #waitForTurn(): void {
    this.#waitsFor = 'turn';
    this.#turns.goOn(() => this.#sendSlice());
  }

  #sendSlice(): void {
    this.#waitsFor = 'nothing';
    // Given up meanwhile.
    if (this.#length === 0) return;
    let room = Math.min(SLICE_BYTES, this.#length);
    this.#turns.spend(room);
    this.#wire.cork();
    while (room > 0) {
      const first = this.#pieces[0]!;
      const slice = first.subarray(0, room);
      if (slice.length === first.length) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(slice.length);
      room -= slice.length;
      this.#length -= slice.length;
      this.#wire.write(slice);
    }
    this.#wire.uncork();
    if (this.#length === 0) this.#onSent();
    // All slices but the last are so long that the socket tells when they are with the kernel.
    else if (this.#wire.writableLength > 0) this.#waitsFor = 'kernel';
    else this.#waitForTurn();
  }
}
