import { NAME_BYTES, writeName } from './items.ts';
import type { Request } from './request.ts';

const LF = 10;
const CRLF_BYTES = 2;
/** No line of an answer to what we ask is longer; more without a line end means that the server speaks something else. */
const LONGEST_LINE = 1024;

/** What the answers came to, of all connections that share it. */
export interface Tally {
  hits: number;
  misses: number;
  stored: number;
  wrong: number;
  firstWrong: string | undefined;
}

/** A tally of nothing. */
export function createTally(): Tally {
  return { hits: 0, misses: 0, stored: 0, wrong: 0, firstWrong: undefined };
}

/** What correct answers look like. */
export interface Expectation {
  readonly keyPrefix: string;
  readonly valueBytes: number;
  /** Whether a value must begin with the name of its item. */
  readonly checkValues: boolean;
}

/**
 * Takes the answers of one connection apart, however they are cut, and holds them against the requests that were
 * sent: key, flags, length and end of every value, and the name of the item at its head.
 */
export class ReplyChecker {
  readonly #valueBytes: number;
  readonly #checkValues: boolean;
  readonly #tally: Tally;
  readonly #onAnswered: (request: Request) => void;
  /** A `VALUE` line without its line end, in which only the name changes. */
  readonly #line: Buffer;
  readonly #nameAt: number;
  readonly #pending: Request[] = [];
  #carry: Buffer | undefined;
  /** How many ids of the oldest request have had their answer, hit or miss. */
  #answered = 0;

  constructor(expectation: Expectation, tally: Tally, onAnswered: (request: Request) => void) {
    this.#valueBytes = expectation.valueBytes;
    this.#checkValues = expectation.checkValues;
    this.#tally = tally;
    this.#onAnswered = onAnswered;
    const head = `VALUE ${expectation.keyPrefix}`;
    this.#nameAt = head.length;
    this.#line = Buffer.from(`${head}${'0'.repeat(NAME_BYTES)} 0 ${expectation.valueBytes}`, 'latin1');
  }

  /** Requests that have not been answered. */
  get outstanding(): number {
    return this.#pending.length;
  }

  /** Adds a request that is sent now; its answer is the last one awaited. */
  expect(request: Request): void {
    this.#pending.push(request);
  }

  /** Takes bytes from the server. They are not kept. Throws when the answers cannot be followed any longer. */
  push(chunk: Buffer): void {
    const bytes = this.#carry === undefined ? chunk : Buffer.concat([this.#carry, chunk]);
    this.#carry = undefined;
    let at = 0;
    while (at < bytes.length) {
      const next = this.#take(bytes, at);
      if (next === undefined) {
        this.#carry = Buffer.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** Takes one value or line at `at`. Returns where the next begins, or nothing when this one is not complete. */
  #take(bytes: Buffer, at: number): number | undefined {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) {
      if (bytes.length - at > LONGEST_LINE) throw new Error(`no line end in ${show(bytes, at, at + 40)}…`);
      return undefined;
    }
    const request = this.#pending[0];
    if (request === undefined) throw new Error(`an answer without a request: ${show(bytes, at, lineEnd)}`);
    const next = lineEnd + 1;
    if (request.kind === 'set') {
      if (matches(bytes, at, next, 'STORED\r\n')) this.#tally.stored += 1;
      else this.#wrong(`set answered ${show(bytes, at, lineEnd)}`);
      this.#complete(request);
      return next;
    }
    if (matches(bytes, at, next, 'END\r\n')) {
      this.#tally.misses += request.count - this.#answered;
      this.#complete(request);
      return next;
    }
    if (matches(bytes, at, next, 'VALUE ')) return this.#takeValue(bytes, at, lineEnd, request);
    this.#wrong(`get answered ${show(bytes, at, lineEnd)}`);
    this.#complete(request);
    return next;
  }

  #takeValue(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const data = lineEnd + 1;
    const index = this.#findAsked(bytes, at, lineEnd, request);
    const length = index === undefined ? announcedLength(bytes, at, lineEnd) : this.#valueBytes;
    const end = data + length + CRLF_BYTES;
    if (end > bytes.length) return undefined;
    if (index === undefined) {
      this.#wrong(`get answered ${show(bytes, at, lineEnd)}`);
      return end;
    }
    this.#tally.misses += index - this.#answered;
    this.#answered = index + 1;
    // After findAsked the line holds the name of this item.
    const named = !this.#checkValues || this.#line.compare(bytes, data, data + NAME_BYTES, this.#nameAt, this.#nameAt + NAME_BYTES) === 0;
    if (named && matches(bytes, end - CRLF_BYTES, end, '\r\n')) this.#tally.hits += 1;
    else this.#wrong(`the value after ${show(bytes, at, lineEnd)} begins with ${show(bytes, data, data + NAME_BYTES)}`);
    return end;
  }

  /** Which id of the request this line is about; those before it are misses. */
  #findAsked(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const line = this.#line;
    if (lineEnd - at !== line.length + 1) return undefined;
    for (let index = this.#answered; index < request.count; index += 1) {
      writeName(line, this.#nameAt, request.ids[index] ?? 0);
      if (line.compare(bytes, at, at + line.length) === 0) return index;
    }
    return undefined;
  }

  #complete(request: Request): void {
    this.#pending.shift();
    this.#answered = 0;
    this.#onAnswered(request);
  }

  #wrong(description: string): void {
    this.#tally.wrong += 1;
    this.#tally.firstWrong ??= description;
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

function show(bytes: Buffer, from: number, to: number): string {
  return JSON.stringify(bytes.toString('latin1', from, Math.min(to, from + 120)));
}
