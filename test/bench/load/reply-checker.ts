import { Checker, CRLF_BYTES, type Expectation, show, type Tally } from './checker.ts';
import { NAME_BYTES, writeName } from './items.ts';
import type { Request } from './request.ts';

/** Checks answers of the text protocol: key, flags, length and end of every value, and the name of the item at its head. */
export class ReplyChecker extends Checker {
  readonly #valueBytes: number;
  readonly #checkValues: boolean;
  /** A `VALUE` line without its line end, in which only the name changes. */
  readonly #line: Buffer;
  readonly #nameAt: number;

  constructor(expectation: Expectation, tally: Tally, onAnswered: (request: Request) => void) {
    super(tally, onAnswered);
    this.#valueBytes = expectation.valueBytes;
    this.#checkValues = expectation.checkValues;
    const head = `VALUE ${expectation.keyPrefix}`;
    this.#nameAt = head.length;
    this.#line = Buffer.from(`${head}${'0'.repeat(NAME_BYTES)} 0 ${expectation.valueBytes}`, 'latin1');
  }

  protected override take(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const next = lineEnd + 1;
    if (request.kind === 'set') {
      if (matches(bytes, at, next, 'STORED\r\n')) this.tally.stored += 1;
      else this.wrong(`set answered ${show(bytes, at, lineEnd)}`);
      this.complete(request);
      return next;
    }
    if (matches(bytes, at, next, 'END\r\n')) {
      this.tally.misses += request.count - this.answered;
      this.complete(request);
      return next;
    }
    if (matches(bytes, at, next, 'VALUE ')) return this.#takeValue(bytes, at, lineEnd, request);
    this.wrong(`get answered ${show(bytes, at, lineEnd)}`);
    this.complete(request);
    return next;
  }

  #takeValue(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const data = lineEnd + 1;
    const index = this.#findAsked(bytes, at, lineEnd, request);
    const length = index === undefined ? announcedLength(bytes, at, lineEnd) : this.#valueBytes;
    const end = data + length + CRLF_BYTES;
    if (end > bytes.length) return undefined;
    if (index === undefined) {
      this.wrong(`get answered ${show(bytes, at, lineEnd)}`);
      return end;
    }
    this.tally.misses += index - this.answered;
    this.answered = index + 1;
    // After findAsked the line holds the name of this item.
    const named = !this.#checkValues || this.#line.compare(bytes, data, data + NAME_BYTES, this.#nameAt, this.#nameAt + NAME_BYTES) === 0;
    if (named && matches(bytes, end - CRLF_BYTES, end, '\r\n')) this.tally.hits += 1;
    else this.wrong(`the value after ${show(bytes, at, lineEnd)} begins with ${show(bytes, data, data + NAME_BYTES)}`);
    return end;
  }

  /** Which id of the request this line is about; those before it are misses. */
  #findAsked(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const line = this.#line;
    if (lineEnd - at !== line.length + 1) return undefined;
    for (let index = this.answered; index < request.count; index += 1) {
      writeName(line, this.#nameAt, request.ids[index] ?? 0);
      if (line.compare(bytes, at, at + line.length) === 0) return index;
    }
    return undefined;
  }
}

function matches(bytes: Buffer, at: number, end: number, text: string): boolean {
  if (end - at < text.length) return false;
  for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

/** The length in a `VALUE` line that is not the one expected. */
function announcedLength(bytes: Buffer, at: number, lineEnd: number): number {
  const line = bytes.toString('latin1', at, lineEnd);
  const length = /^VALUE \S+ \d+ (\d+)(?: \d+)?\r$/.exec(line)?.[1];
  if (length === undefined) throw new Error(`an answer that cannot be read: ${JSON.stringify(line)}`);
  return Number(length);
}
