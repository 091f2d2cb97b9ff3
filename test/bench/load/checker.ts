import type { Request } from './request.ts';

const LF = 10;
export const CRLF_BYTES = 2;
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

/** Takes the answers of one connection apart, however they are cut, and holds them against the requests that were sent. */
export abstract class Checker {
  protected readonly tally: Tally;
  /** How many ids of the oldest request have had their answer, hit or miss. */
  protected answered = 0;
  readonly #onAnswered: (request: Request) => void;
  readonly #pending: Request[] = [];
  #carry: Buffer | undefined;

  constructor(tally: Tally, onAnswered: (request: Request) => void) {
    this.tally = tally;
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
      const next = this.#takeNext(bytes, at);
      if (next === undefined) {
        this.#carry = Buffer.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /**
   * Takes the line at `at`, with the value behind it if any: it is about the oldest request. Returns where the next begins,
   * or nothing when this one is not complete.
   */
  protected abstract take(bytes: Buffer, at: number, lineEnd: number, request: Request): number | undefined;

  /** The oldest request has had all of its answer. */
  protected complete(request: Request): void {
    this.#pending.shift();
    this.answered = 0;
    this.#onAnswered(request);
  }

  protected wrong(description: string): void {
    this.tally.wrong += 1;
    this.tally.firstWrong ??= description;
  }

  #takeNext(bytes: Buffer, at: number): number | undefined {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) {
      if (bytes.length - at > LONGEST_LINE) throw new Error(`no line end in ${show(bytes, at, at + 40)}…`);
      return undefined;
    }
    const request = this.#pending[0];
    if (request === undefined) throw new Error(`an answer without a request: ${show(bytes, at, lineEnd)}`);
    return this.take(bytes, at, lineEnd, request);
  }
}

/** Bytes for an error message. */
export function show(bytes: Buffer, from: number, to: number): string {
  return JSON.stringify(bytes.toString('latin1', from, Math.min(to, from + 120)));
}
