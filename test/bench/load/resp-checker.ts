import { NAME_BYTES, writeName } from './items.ts';
import type { Expectation, Tally } from './reply-checker.ts';
import type { Request } from './request.ts';

const LF = 10;
const CRLF_BYTES = 2;
const LONGEST_LINE = 1024;

/**
 * Takes the answers of one Redis connection apart, however they are cut, and holds them against the requests that were
 * sent: kind, number and length of the values, and the name of the item at the head of each.
 */
export class RespChecker {
  readonly #expectation: Expectation;
  readonly #tally: Tally;
  readonly #onAnswered: (request: Request) => void;
  readonly #name: Buffer = Buffer.alloc(NAME_BYTES);
  readonly #pending: Request[] = [];
  #carry: Buffer | undefined;
  /** How many values of the oldest request have come. */
  #answered = 0;
  /** Whether the head of the array that answers the oldest request has come. */
  #inArray = false;

  constructor(expectation: Expectation, tally: Tally, onAnswered: (request: Request) => void) {
    this.#expectation = expectation;
    this.#tally = tally;
    this.#onAnswered = onAnswered;
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

  /** Takes one line, with the value behind it if any. Returns where the next begins, or nothing when it is not complete. */
  #take(bytes: Buffer, at: number): number | undefined {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) {
      if (bytes.length - at > LONGEST_LINE) throw new Error(`no line end in ${JSON.stringify(bytes.toString('latin1', at, at + 40))}…`);
      return undefined;
    }
    const line = bytes.toString('latin1', at, lineEnd - 1);
    const request = this.#pending[0];
    if (request === undefined) throw new Error(`an answer without a request: ${JSON.stringify(line)}`);
    const next = lineEnd + 1;
    if (request.kind === 'set') {
      if (line === '+OK') this.#tally.stored += 1;
      else this.#wrong(`SET answered ${line}`);
      this.#complete(request);
      return next;
    }
    if (line.startsWith('$')) return this.#takeValue(bytes, next, Number(line.slice(1)), request);
    if (line === `*${request.count}` && !this.#inArray) {
      this.#inArray = true;
      return next;
    }
    // An error stands for the whole answer; anything else cannot be followed.
    if (!line.startsWith('-') || this.#inArray) throw new Error(`an answer that cannot be read: ${JSON.stringify(line)}`);
    this.#wrong(`GET answered ${line}`);
    this.#complete(request);
    return next;
  }

  #takeValue(bytes: Buffer, data: number, length: number, request: Request): number | undefined {
    if (!Number.isInteger(length)) throw new Error('a length that cannot be read');
    const isMiss = length < 0;
    const end = isMiss ? data : data + length + CRLF_BYTES;
    if (end > bytes.length) return undefined;
    if (isMiss) this.#tally.misses += 1;
    else this.#checkValue(bytes, data, length, request.ids[this.#answered] ?? 0);
    this.#answered += 1;
    if (this.#answered === (this.#inArray ? request.count : 1)) this.#complete(request);
    return end;
  }

  #checkValue(bytes: Buffer, data: number, length: number, id: number): void {
    const { valueBytes, checkValues } = this.#expectation;
    writeName(this.#name, 0, id);
    if (length !== valueBytes) this.#wrong(`a value of ${length} bytes instead of ${valueBytes}`);
    else if (checkValues && this.#name.compare(bytes, data, data + NAME_BYTES) !== 0) this.#wrong('the value of another item');
    else if (bytes.toString('latin1', data + length, data + length + CRLF_BYTES) !== '\r\n') this.#wrong('a value without its line end');
    else this.#tally.hits += 1;
  }

  #complete(request: Request): void {
    this.#pending.shift();
    this.#answered = 0;
    this.#inArray = false;
    this.#onAnswered(request);
  }

  #wrong(description: string): void {
    this.#tally.wrong += 1;
    this.#tally.firstWrong ??= description;
  }
}
