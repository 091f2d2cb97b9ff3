import type { U64 } from '../item.ts';

/** Bytes that a buffer begins with: a full batch of small replies, at a cost that thousands of connections can bear. */
const INITIAL_CAPACITY = 64 * 1024;

/** Bytes above which shrink() gives memory back: below, growing again would cost more than keeping it. */
const KEPT_CAPACITY_MAX = 1024 * 1024;

/**
 * Longest range that is copied byte by byte. The call into the runtime costs as much as about so many bytes
 * (Node 20: 8 bytes 11 ns against 30, 32 bytes 89 against 89, 64 bytes 255 against 101).
 */
const COPY_LOOP_MAX = 32;

const ZERO = 0x30;
const CR = 0x0d;
const LF = 0x0a;

const TWO_32 = 0x1_0000_0000;
const TEN_9 = 1_000_000_000;

/** Replies on their way out, one after the other in a buffer that grows. */
export class ReplyBuffer {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  #length = 0;
  /** The last short copy: replies that are held back are the same few words again and again. */
  #copied = Buffer.alloc(0);

  /** How many bytes have been written. */
  get length(): number {
    return this.#length;
  }

  /** The buffer itself, of which the first `length` bytes are written. Valid until the next write or shrink. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Appends a text of ASCII (or Latin-1) characters. */
  ascii(text: string): void {
    const count = text.length;
    const at = this.#grow(count);
    if (count > COPY_LOOP_MAX) {
      this.#bytes.write(text, at, count, 'latin1');
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < count; i++) {
      bytes[at + i] = text.charCodeAt(i);
    }
  }

  /** Appends the bytes of `source` from `start` to `end`. */
  copy(source: Buffer, start: number, end: number): void {
    const count = end - start;
    const at = this.#grow(count);
    if (count > COPY_LOOP_MAX) {
      source.copy(this.#bytes, at, start, end);
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < count; i++) {
      bytes[at + i] = source[start + i] ?? 0;
    }
  }

  /** Appends a whole buffer, such as one of the fixed lines. */
  line(bytes: Buffer): void {
    this.copy(bytes, 0, bytes.length);
  }

  /** Appends one byte. */
  byte(value: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = value;
  }

  /** Appends a number in decimal digits. REQUIRES: a canonical U64. */
  u64(value: U64): void {
    if (typeof value === 'bigint') {
      this.ascii(value.toString());
    } else if (value < TWO_32) {
      this.#digits(value, decimalLength(value));
    } else {
      // In parts that fit 32 bits, where division is cheap: at most 9007199 and nine digits.
      const high = Math.floor(value / TEN_9);
      this.#digits(high, decimalLength(high));
      this.#digits(value - high * TEN_9, 9);
    }
  }

  /** Appends CRLF. */
  crlf(): void {
    const at = this.#grow(2);
    this.#bytes[at] = CR;
    this.#bytes[at + 1] = LF;
  }

  /** Forgets all that was written; the memory stays. */
  reset(): void {
    this.#length = 0;
  }

  /** Forgets what was written after the first `length` bytes. REQUIRES: length <= this.length */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Returns a copy of the written bytes from `start` to `end`, which must not be changed: who is next may get the same. */
  slice(start: number, end: number): Buffer {
    const length = end - start;
    if (length > COPY_LOOP_MAX) return Buffer.from(this.#bytes.subarray(start, end));
    if (length !== this.#copied.length || !this.#isCopied(start)) {
      this.#copied = Buffer.allocUnsafe(length);
      for (let i = 0; i < length; i++) this.#copied[i] = this.#bytes[start + i]!;
    }
    return this.#copied;
  }

  #isCopied(start: number): boolean {
    const copied = this.#copied;
    for (let i = 0; i < copied.length; i++) if (copied[i] !== this.#bytes[start + i]) return false;
    return true;
  }

  /** Forgets all that was written and leaves its memory to who has it: what follows goes to new memory. */
  abandon(): void {
    this.#bytes = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
    this.#length = 0;
  }

  /** Gives memory back after large replies, as far as what is written allows. */
  shrink(): void {
    if (this.#bytes.length <= KEPT_CAPACITY_MAX) {
      return;
    }
    const capacity = capacityFor(INITIAL_CAPACITY, this.#length);
    if (capacity < this.#bytes.length) {
      this.#move(capacity);
    }
  }

  /** Makes room for `count` bytes, takes them as written, and returns the offset of the first. */
  #grow(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      this.#move(capacityFor(this.#bytes.length, needed));
    }
    this.#length = needed;
    return at;
  }

  #move(capacity: number): void {
    const bytes = Buffer.allocUnsafeSlow(capacity);
    this.#bytes.copy(bytes, 0, 0, Math.min(this.#length, capacity));
    this.#bytes = bytes;
  }

  /** Appends `count` digits of a number below 2^32, with zeros in front. */
  #digits(value: number, count: number): void {
    const at = this.#grow(count);
    const bytes = this.#bytes;
    let rest = value;
    for (let i = at + count - 1; i >= at; i--) {
      const next = Math.floor(rest / 10);
      bytes[i] = ZERO + (rest - next * 10);
      rest = next;
    }
  }
}

function capacityFor(from: number, needed: number): number {
  let capacity = from;
  while (capacity < needed) {
    capacity *= 2;
  }
  return capacity;
}

/** REQUIRES: value < 2^32 */
function decimalLength(value: number): number {
  let count = 1;
  for (let power = 10; power <= value; power *= 10) {
    count++;
  }
  return count;
}
