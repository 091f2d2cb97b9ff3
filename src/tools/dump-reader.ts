import { crc32 } from 'node:zlib';
import { TugelaError } from '../errors.ts';
import type { U64 } from '../item.ts';
import { decodeUriKey } from '../protocol/uri-key.ts';
import { BIT_LETTERS, DUMP_HEAD, DUMP_LINE_MAX, DUMP_NAME, type DumpItem } from './dump-format.ts';

const LF = 0x0a;
const U32_MAX = 0xffff_ffff;
/** Longest value that a server can have taken. */
const LENGTH_MAX = 0x7fff_ffff;

/** Reads a dump piece by piece, and checks all that can be checked. */
export class DumpReader {
  /** What came and is not read yet; joined when it is enough for what comes next. */
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes that what comes next needs at least. */
  #need = 1;
  #line = 1;
  #hasHead = false;
  #complete = false;
  items = 0;
  bytes = 0;
  /** Keys of items that could not be read when the dump was made. */
  lost = 0;

  /** True once the last line was read: nothing may follow. */
  get isComplete(): boolean {
    return this.#complete;
  }

  /**
   * Takes the next piece and gives the items that are complete with it. Their values are views of what was pushed.
   *
   * @throws TugelaError TUGELA_STORE_CORRUPT with the line that is damaged
   */
  push(piece: Buffer): DumpItem[] {
    this.#parts.push(piece);
    this.#held += piece.length;
    if (this.#held < this.#need) return [];
    const bytes = this.#parts.length === 1 ? piece : Buffer.concat(this.#parts, this.#held);
    const found: DumpItem[] = [];
    let at = 0;
    for (;;) {
      const end = this.#next(bytes, at, found);
      if (end === at) break;
      at = end;
    }
    this.#parts = [bytes.subarray(at)];
    this.#held = bytes.length - at;
    return found;
  }

  /** To be called when no more comes. */
  finish(): void {
    if (!this.#complete) this.#fail('the dump ends here, without its line END: it is truncated');
  }

  /** Reads one thing at `at`; returns where it ends, or `at` when it is not all there. */
  #next(bytes: Buffer, at: number, found: DumpItem[]): number {
    if (at === bytes.length) {
      this.#need = 1;
      return at;
    }
    if (this.#complete) this.#fail('something follows the line END');
    const end = bytes.indexOf(LF, at);
    if ((end < 0 ? bytes.length : end) - at > DUMP_LINE_MAX) this.#fail('it is longer than a line can be');
    if (end < 0) {
      this.#need = bytes.length - at + 1;
      return at;
    }
    const text = bytes.toString('latin1', at, end);
    if (!this.#hasHead) {
      this.#readHead(text);
    } else if (text.startsWith('ITEM ')) {
      return this.#readItem(text, bytes, at, end, found);
    } else if (text.startsWith('LOST ')) {
      this.lost++;
    } else if (text.startsWith('END ')) {
      if (text !== `END ${this.items} ${this.bytes}`) this.#fail(`it says '${text}', but ${this.items} items of ${this.bytes} bytes came before it`);
      this.#complete = true;
    } else {
      this.#fail('it is none of ITEM, LOST and END');
    }
    this.#line++;
    return end + 1;
  }

  #readHead(text: string): void {
    if (text !== DUMP_HEAD) {
      this.#fail(text.startsWith(DUMP_NAME) ? `the dump is of version ${text.slice(DUMP_NAME.length)}, known is 1` : 'this is no dump of tugela-ts');
    }
    this.#hasHead = true;
  }

  #readItem(text: string, bytes: Buffer, at: number, lineEnd: number, found: DumpItem[]): number {
    const words = text.split(' ');
    const key = words.length === 10 ? decodeUriKey(words[1]!) : undefined;
    const length = wholeNumber(words[8], LENGTH_MAX);
    if (key === undefined || length === undefined) this.#fail('the item is unreadable');
    const valueEnd = lineEnd + 1 + length;
    if (valueEnd >= bytes.length) {
      this.#need = valueEnd + 1 - at;
      return at;
    }
    const value = bytes.subarray(lineEnd + 1, valueEnd);
    const crc = crc32(value, crc32(bytes.subarray(at, lineEnd - words[9]!.length - 1)));
    if (bytes[valueEnd] !== LF || words[9] !== crc.toString(16).padStart(8, '0')) this.#fail('the item fails its checksum');
    const flags = wholeNumber(words[2], U32_MAX);
    const expiresAt = wholeNumber(words[3], U32_MAX);
    const storedAt = wholeNumber(words[4], U32_MAX);
    const cas = wholeNumber(words[5], Number.MAX_SAFE_INTEGER);
    const chosenCas = words[6] === '-' ? undefined : chosen(words[6]!);
    const bits = bitsOf(words[7]!);
    if (flags === undefined || expiresAt === undefined || storedAt === undefined || cas === undefined || chosenCas === null || bits === undefined) {
      this.#fail('the item has a field that cannot be');
    }
    found.push({ key: key.toString('latin1'), flags, expiresAt, storedAt, cas, chosenCas, bits, value, line: this.#line });
    this.items++;
    this.bytes += key.length + length;
    this.#line += 2 + countLines(value);
    return valueEnd + 1;
  }

  #fail(problem: string): never {
    throw new TugelaError('TUGELA_STORE_CORRUPT', `Cannot read dump: line ${this.#line}: ${problem}`);
  }
}

function wholeNumber(word: string | undefined, most: number): number | undefined {
  if (word === undefined || !/^\d{1,16}$/.test(word)) return undefined;
  const number = Number(word);
  return number <= most ? number : undefined;
}

/** Null = it cannot be. */
function chosen(word: string): U64 | null {
  if (!/^\d{1,20}$/.test(word)) return null;
  const number = BigInt(word);
  if (number >= 1n << 64n) return null;
  return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number;
}

function bitsOf(word: string): number | undefined {
  if (word === '-') return 0;
  let bits = 0;
  for (const letter of word) {
    const bit = BIT_LETTERS.find(([, each]) => each === letter)?.[0];
    if (bit === undefined) return undefined;
    bits |= bit;
  }
  return bits;
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}
