import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Bytes of a key that a text line may carry. */
const MAX_KEY_BYTES = 250;

/** Notes about single keys; after these only the number is told. */
const MAX_NOTES = 10;

/** Lines are gathered up to about so many bytes, because each write to a pipe is a system call. */
const CHUNK_BYTES = 16 * 1024;

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

const DELETE = Buffer.from('delete ');
const LINE_END = Buffer.from('\r\n');

/** The command that deletes a key, or undefined when the key cannot be sent in a text line. */
export function deleteLine(key: Buffer): Buffer | undefined {
  if (key.length === 0 || key.length > MAX_KEY_BYTES) return undefined;
  // These would end the key or the line, and what is left of it could be a command of its own.
  if (key.some((byte) => byte === NUL || byte === LF || byte === CR || byte === SPACE)) return undefined;
  return Buffer.concat([DELETE, key, LINE_END]);
}

/** Writes `delete KEY` lines to a stream, not faster than it takes them. */
export class DeletePrinter {
  readonly #out: Writable;
  readonly #note: (text: string) => void;
  readonly #show: (key: Buffer) => string;
  #lines: Buffer[] = [];
  #bytes = 0;
  #skipped = 0;

  /** `note` takes one line for people; `show` makes a key readable for it. */
  constructor(out: Writable, note: (text: string) => void, show: (key: Buffer) => string) {
    this.#out = out;
    this.#note = note;
    this.#show = show;
  }

  async print(key: Buffer): Promise<void> {
    const line = deleteLine(key);
    if (line === undefined) {
      this.#skipped++;
      if (this.#skipped <= MAX_NOTES) this.#note(`skipped a key that no text line can carry: ${this.#show(key)}`);
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes >= CHUNK_BYTES) await this.#flush();
  }

  /** Writes what is gathered, and tells how many keys were skipped without a note of their own. */
  async end(): Promise<void> {
    await this.#flush();
    if (this.#skipped > MAX_NOTES) this.#note(`skipped ${this.#skipped} such keys in all`);
  }

  async #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#lines);
    this.#lines = [];
    this.#bytes = 0;
    if (chunk.length === 0 || this.#out.destroyed) return;
    if (!this.#out.write(chunk)) await drained(this.#out);
  }
}

/** Resolves when the stream takes more, or when it is closed and never will. */
async function drained(out: Writable): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  try {
    await Promise.race([once(out, 'drain', { signal }), once(out, 'close', { signal })]);
  } finally {
    // Takes the listener of the other event off.
    controller.abort();
  }
}
