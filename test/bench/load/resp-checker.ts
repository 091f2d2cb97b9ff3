import { Checker, CRLF_BYTES, type Expectation, type Tally } from './checker.ts';
import { NAME_BYTES, writeName } from './items.ts';
import type { Request } from './request.ts';

/** Checks answers of Redis (RESP 2): kind, number and length of the values, and the name of the item at the head of each. */
export class RespChecker extends Checker {
  readonly #expectation: Expectation;
  readonly #name: Buffer = Buffer.alloc(NAME_BYTES);
  /** Whether the head of the array that answers the oldest request has come. */
  #inArray = false;

  constructor(expectation: Expectation, tally: Tally, onAnswered: (request: Request) => void) {
    super(tally, onAnswered);
    this.#expectation = expectation;
  }

  protected override take(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined {
    const line = bytes.toString('latin1', at, lineEnd - 1);
    const next = lineEnd + 1;
    if (request.kind === 'set') {
      if (line === '+OK') this.tally.stored += 1;
      else this.wrong(`SET answered ${line}`);
      this.complete(request);
      return next;
    }
    if (line.startsWith('$')) return this.#takeValue(bytes, next, Number(line.slice(1)), request);
    if (line === `*${request.count}` && !this.#inArray) {
      this.#inArray = true;
      return next;
    }
    // An error stands for the whole answer; anything else cannot be followed.
    if (!line.startsWith('-') || this.#inArray) throw new Error(`an answer that cannot be read: ${JSON.stringify(line)}`);
    this.wrong(`GET answered ${line}`);
    this.complete(request);
    return next;
  }

  protected override complete(request: Request): void {
    this.#inArray = false;
    super.complete(request);
  }

  #takeValue(bytes: Buffer, data: number, length: number, request: Request): number | undefined {
    if (!Number.isInteger(length)) throw new Error('a length that cannot be read');
    const isMiss = length < 0;
    const end = isMiss ? data : data + length + CRLF_BYTES;
    if (end > bytes.length) return undefined;
    if (isMiss) this.tally.misses += 1;
    else this.#checkValue(bytes, data, length, request.ids[this.answered] ?? 0);
    this.answered += 1;
    if (this.answered === (this.#inArray ? request.count : 1)) this.complete(request);
    return end;
  }

  #checkValue(bytes: Buffer, data: number, length: number, id: number): void {
    const { valueBytes, checkValues } = this.#expectation;
    writeName(this.#name, 0, id);
    if (length !== valueBytes) this.wrong(`a value of ${length} bytes instead of ${valueBytes}`);
    else if (checkValues && this.#name.compare(bytes, data, data + NAME_BYTES) !== 0) this.wrong('the value of another item');
    else if (bytes.toString('latin1', data + length, data + length + CRLF_BYTES) !== '\r\n') this.wrong('a value without its line end');
    else this.tally.hits += 1;
  }
}
