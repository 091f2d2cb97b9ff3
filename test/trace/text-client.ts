import { connect, type Socket } from 'node:net';

/** A value as get and gets show it. */
export interface ShownItem {
  readonly value: Buffer;
  readonly flags: number;
  readonly cas: string | undefined;
}

/** What answers a retrieval, by key, or the line that answers anything else. */
export type Answer = Map<string, ShownItem> | string;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** The connection broke before the answer came. */
export class ConnectionLost extends Error {}

/** One connection of a memcached client: one request at a time. */
export class TextClient {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #items = new Map<string, ShownItem>();
  #waiting: Waiting | undefined;
  #lost = false;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#parse();
    });
    const lose = (): void => {
      this.#lost = true;
      this.#waiting?.reject(new ConnectionLost('connection lost'));
      this.#waiting = undefined;
    };
    this.#socket.on('error', lose);
    this.#socket.on('close', lose);
  }

  /** Sends a request, with its data block, and waits for the answer. REQUIRES: the one before is answered. */
  async ask(line: string, data?: Buffer): Promise<Answer> {
    if (this.#lost) throw new ConnectionLost('connection lost');
    const answer = new Promise<Answer>((resolve, reject) => (this.#waiting = { resolve, reject }));
    this.#socket.write(data === undefined ? Buffer.from(`${line}\r\n`) : Buffer.concat([Buffer.from(`${line}\r\n`), data, Buffer.from('\r\n')]));
    return await answer;
  }

  quit(): void {
    this.#socket.end('quit\r\n');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #parse(): void {
    for (;;) {
      const lineEnd = this.#bytes.indexOf('\r\n');
      if (lineEnd < 0) return;
      const line = this.#bytes.toString('latin1', 0, lineEnd);
      let next = lineEnd + 2;
      if (line.startsWith('VALUE ')) {
        const [, key = '', flags = '', length = '', cas] = line.split(' ');
        const end = next + Number(length);
        if (this.#bytes.length < end + 2) return;
        this.#items.set(key, { value: Buffer.from(this.#bytes.subarray(next, end)), flags: Number(flags), cas });
        next = end + 2;
      } else {
        const answer = line === 'END' ? this.#items : line;
        this.#items = new Map();
        this.#waiting?.resolve(answer);
        this.#waiting = undefined;
      }
      this.#bytes = this.#bytes.subarray(next);
    }
  }
}
