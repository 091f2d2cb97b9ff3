import type { Socket } from 'node:net';
import type { Address } from '../../daemon/address.ts';
import { LinkError, reasonOf } from '../../daemon/link-error.ts';
import { openSocket } from '../../daemon/open-socket.ts';
import { VALUE_LENGTH_MAX } from '../protocol/limits.ts';

/** Bytes of values asked for at once; a larger value is asked for alone. */
const BATCH_BYTES = 2 ** 20;
/** Values asked for at once. */
const BATCH_VALUES = 100;
/** Milliseconds until a connection must be made. */
const CONNECT_MS = 5000;
/** Milliseconds without a byte after which the server is given up. */
const SILENCE_MS = 30_000;
/** Longest line of a reply: `VA` and a number, or an error. */
const LINE_MAX = 2048;
/** Longest word that a key may be sent as. */
const WORD_MAX = 250;

const LF = 0x0a;
const CR = 0x0d;

/** A key, and how long its value was lately. */
export interface WantedValue {
  readonly key: Buffer;
  readonly length: number;
}

interface Batch {
  readonly count: number;
  readonly values: (Buffer | undefined)[];
  resolve(values: (Buffer | undefined)[]): void;
  reject(error: LinkError): void;
}

/** A connection that reads values by `mg`, in a way that does not count as a use of them. */
export class ValueReader {
  readonly #socket: Socket;
  #batch: Batch | undefined;
  /** Bytes received and not understood yet: part of a line. */
  #rest: Buffer = Buffer.alloc(0);
  /** What came of a value and its CRLF, and bytes still to come: no memory is taken for what was only announced. */
  #block: Buffer[] | undefined;
  #missing = 0;
  #ended: LinkError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MS, () => {
      if (this.#batch !== undefined) this.#end(new LinkError('timeout', `No reply within ${SILENCE_MS} ms`));
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(new LinkError('connection_lost', `Connection lost: ${reasonOf(error)}`, { cause: error })));
    socket.on('close', () => this.#end(new LinkError('connection_lost', 'Connection closed by the server')));
  }

  static async connect(address: Address): Promise<ValueReader> {
    return new ValueReader(await openSocket(address, { timeoutMs: CONNECT_MS }));
  }

  /**
   * The values of some keys, in their order, a few at a time; undefined for those that are gone, and for keys that
   * cannot be asked for by text. One call at a time.
   */
  async *read<T extends WantedValue>(wanted: readonly T[]): AsyncGenerator<readonly [T, Buffer | undefined], void, undefined> {
    for (let from = 0; from < wanted.length; ) {
      let to = from;
      let bytes = 0;
      do bytes += wanted[to++]!.length;
      while (to < wanted.length && to - from < BATCH_VALUES && bytes + wanted[to]!.length <= BATCH_BYTES);
      const some = wanted.slice(from, to);
      const words = some.map(({ key }) => keyWord(key));
      const asked = words.filter((word) => word !== undefined);
      const values = asked.length === 0 ? [] : await this.#ask(asked);
      let i = 0;
      for (const [at, each] of some.entries()) yield [each, words[at] === undefined ? undefined : values[i++]];
      from = to;
    }
  }

  close(): void {
    this.#end(new LinkError('aborted', 'Connection closed by this side'));
  }

  #ask(words: readonly string[]): Promise<(Buffer | undefined)[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#batch = { count: words.length, values: [], resolve, reject };
      this.#socket.write(words.map((word) => `mg ${word} v u\r\n`).join(''), 'latin1');
    });
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#ended === undefined) {
      if (this.#block !== undefined) {
        const part = chunk.subarray(at, at + this.#missing);
        this.#block.push(part);
        this.#missing -= part.length;
        at += part.length;
        if (this.#missing === 0) this.#takeBlock(Buffer.concat(this.#block));
        continue;
      }
      const end = chunk.indexOf(LF, at);
      const part = chunk.subarray(at, end < 0 ? chunk.length : end);
      const line = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
      if (line.length > LINE_MAX) this.#end(new LinkError('bad_reply', 'Reply line too long'));
      else if (end < 0) {
        this.#rest = Buffer.from(line);
        return;
      } else {
        this.#rest = Buffer.alloc(0);
        this.#takeLine(line.toString('latin1').replace(/\r$/, ''));
      }
      at = end + 1;
    }
  }

  #takeLine(line: string): void {
    const length = /^VA (\d{1,10})$/.exec(line)?.[1];
    if (this.#batch !== undefined && length !== undefined && Number(length) <= VALUE_LENGTH_MAX) {
      this.#block = [];
      this.#missing = Number(length) + 2;
    } else if (this.#batch !== undefined && line === 'EN') this.#take(undefined);
    else this.#end(new LinkError(/^(CLIENT|SERVER)_ERROR /.test(line) ? 'server_error' : 'bad_reply', `The server says: ${line.slice(0, 120)}`));
  }

  #takeBlock(block: Buffer): void {
    this.#block = undefined;
    if (block.at(-2) === CR && block.at(-1) === LF) this.#take(block.subarray(0, -2));
    else this.#end(new LinkError('bad_reply', 'A value does not end where it should'));
  }

  #take(value: Buffer | undefined): void {
    const batch = this.#batch!;
    if (batch.values.push(value) < batch.count) return;
    this.#batch = undefined;
    batch.resolve(batch.values);
  }

  #end(reason: LinkError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#socket.destroy();
    this.#batch?.reject(reason);
    this.#batch = undefined;
  }
}

/** How `mg` names a key; undefined when it cannot: what cannot stand in a line must be short enough for base64. */
function keyWord(key: Buffer): string | undefined {
  const text = key.toString('latin1');
  if (!/[\0\n\r ]/.test(text)) return text;
  const base64 = key.toString('base64');
  return base64.length > WORD_MAX ? undefined : `${base64} b`;
}
