import { type Command, hasDataBlock } from '../cache/command.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { SpaceSaving } from './space-saving.ts';

/** Keys looked at per second at most. Bounds what sampling costs, see HotKeys. */
const SAMPLES_PER_SECOND = 4000;
/** Keys looked at after which the clock is: few, so that a burst is noticed before it has cost much. */
const BLOCK = 50;
/** Milliseconds that a block may not go below. */
const BLOCK_MS = (BLOCK * 1000) / SAMPLES_PER_SECOND;
/** Large values per block that are looked at although their turn has not come. */
const BIG_PER_BLOCK = 10;
/** Keys counted: all with more than 1/256 of the traffic are among them, in some 100 KB at most. */
const KEYS_COUNTED = 256;
/** Hot keys and large values listed. */
const LISTED = 20;
/** Milliseconds after which what was counted counts half. */
const HALVE_MS = 30_000;
/** Milliseconds from the last asking for which sampling goes on, and a large value is listed. */
const LAST_MS = 60_000;

interface Big {
  size: number;
  seenMs: number;
}

/** Bytes of the value that is now under the key in a range of some bytes; undefined when that is not known at once. */
export type LengthOf = (bytes: Buffer, start: number, end: number, key: string) => number | undefined;

/**
 * Which keys are asked for most, and which values are the largest, among those seen lately. Nothing is sampled
 * before anybody asks, nor 60 s after the last asking.
 *
 * Every Nth key that commands name is counted, N times; N follows the traffic, so that about 4000 a second are looked
 * at. Measured (`npm run bench -- --micro`, 100,000 keys by Zipf's law): 1.4 µs for a key looked at, 5 ns for a command
 * that is passed over. That is 0.6 % of a processor, and 0.1 % more at 200,000 commands a second.
 *
 * The gap between two keys looked at is chosen at random around N: commands that come in turns would meet a
 * regular one always in the same place.
 */
export class HotKeys {
  readonly #lengthOf: LengthOf;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #onSwitch: (isOn: boolean) => void;
  readonly #counted = new SpaceSaving(KEYS_COUNTED);
  readonly #big = new Map<string, Big>();
  /** Values up to this size cannot come among the largest. */
  #bigFloor = 0;
  #bigLeft = BIG_PER_BLOCK;
  /** N. */
  #gap = 1;
  /** Keys until the next one that is looked at. */
  #countdown = 1;
  #blockLeft = BLOCK;
  #blockMs = 0;
  #halvedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onSwitch` is told when `note` is to be called for each command, and when no more; `random` is from [0, 1). */
  constructor(lengthOf: LengthOf, onSwitch: (isOn: boolean) => void, nowMs: () => number = () => performance.now(), random: () => number = Math.random) {
    this.#lengthOf = lengthOf;
    this.#onSwitch = onSwitch;
    this.#nowMs = nowMs;
    this.#random = random;
  }

  /** Takes note of a command that was executed. */
  note(command: Command): void {
    const { keyCount } = command;
    if (keyCount >= this.#countdown) this.#sample(command);
    else {
      this.#countdown -= keyCount;
      if (command.length > this.#bigFloor && this.#bigFloor > 0 && this.#bigLeft > 0 && hasDataBlock(command.op)) this.#seeLarge(command);
    }
  }

  /** The reply to who asks: `HOT key count error` and `BIG key size` lines and END. Sampling begins, or goes on. */
  ask(): string {
    const now = this.#nowMs();
    if (this.#timer === undefined) this.#start(now);
    else {
      this.#timer.refresh();
      // Traffic has fallen: N is too large for it.
      if (now - this.#blockMs > 2 * BLOCK_MS) this.#pace(now);
    }
    const hot = this.#counted.top(LISTED).map(({ key, weight, error }) => `HOT ${encodeUriText(key)} ${Math.round(weight)} ${Math.round(error)}\r\n`);
    const big = this.#largest().map(([key, { size }]) => `BIG ${encodeUriText(key)} ${size}\r\n`);
    return `${hot.join('')}${big.join('')}END\r\n`;
  }

  /** Ends sampling and forgets what was seen. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#onSwitch(false);
    this.#counted.clear();
    this.#big.clear();
  }

  #start(now: number): void {
    this.#timer = setTimeout(() => this.stop(), LAST_MS);
    this.#timer.unref();
    this.#gap = 1;
    this.#countdown = 1;
    this.#bigFloor = 0;
    this.#blockMs = now;
    this.#blockLeft = BLOCK;
    this.#halvedMs = now;
    this.#onSwitch(true);
  }

  #sample({ buffer, keyStarts, keyEnds, keyCount }: Command): void {
    let at = this.#countdown - 1;
    while (at < keyCount) {
      const start = keyStarts[at]!;
      const end = keyEnds[at]!;
      const key = buffer.toString('latin1', start, end);
      this.#counted.add(key, this.#gap);
      const size = this.#lengthOf(buffer, start, end, key);
      if (size !== undefined && (size > this.#bigFloor || this.#big.has(key))) this.#noteBig(key, size);
      if (--this.#blockLeft <= 0) this.#pace(this.#nowMs());
      // From 1 to 2N - 1, N in the middle.
      at += 1 + Math.floor(this.#random() * (2 * this.#gap - 1));
    }
    this.#countdown = at - keyCount + 1;
  }

  #seeLarge({ buffer, keyStarts, keyEnds }: Command): void {
    this.#bigLeft--;
    const start = keyStarts[0]!;
    const end = keyEnds[0]!;
    const key = buffer.toString('latin1', start, end);
    // What the command brought may have been refused, or joined to what was there.
    const size = this.#lengthOf(buffer, start, end, key);
    if (size !== undefined && size > this.#bigFloor) this.#noteBig(key, size);
  }

  #noteBig(key: string, size: number): void {
    const seenMs = this.#blockMs;
    const known = this.#big.get(key);
    if (known !== undefined) {
      known.size = size;
      known.seenMs = seenMs;
    } else {
      if (this.#big.size >= LISTED) this.#big.delete(this.#smallest());
      this.#big.set(key, { size, seenMs });
    }
    this.#bigFloor = this.#big.size < LISTED ? 0 : this.#big.get(this.#smallest())!.size;
  }

  #smallest(): string {
    let smallest = '';
    let least = Number.POSITIVE_INFINITY;
    for (const [key, { size }] of this.#big) {
      if (size < least) {
        least = size;
        smallest = key;
      }
    }
    return smallest;
  }

  /** The largest values seen within the last minute, the largest first. */
  #largest(): [string, Big][] {
    return [...this.#big].toSorted(([, a], [, b]) => b.size - a.size);
  }

  /** Chooses N anew by how long the block has taken, and lets go of what is old. */
  #pace(now: number): void {
    const tookMs = Math.max(now - this.#blockMs, 0.01);
    const looked = BLOCK - this.#blockLeft;
    // As many keys as passed by in that time, spread over what may be looked at.
    const gap = Math.max(1, Math.ceil(((looked * this.#gap) / tookMs) * (BLOCK_MS / BLOCK)));
    this.#gap = Math.min(gap, this.#gap * 16);
    this.#countdown = Math.min(this.#countdown, 2 * this.#gap);
    this.#blockMs = now;
    this.#blockLeft = BLOCK;
    this.#bigLeft = BIG_PER_BLOCK;
    if (now - this.#halvedMs >= HALVE_MS) {
      this.#halvedMs = now;
      this.#counted.halve();
    }
    for (const [key, { seenMs }] of this.#big) if (now - seenMs > LAST_MS) this.#big.delete(key);
    if (this.#big.size < LISTED) this.#bigFloor = 0;
  }
}
