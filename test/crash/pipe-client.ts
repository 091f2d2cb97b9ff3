import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ConnectionLost } from '../trace/text-client.ts';

export { ConnectionLost };

/** One reply: a line, with the value that follows it if it is `VA`. */
export interface Reply {
  readonly line: string;
  readonly value: Buffer | undefined;
}

interface Waiting {
  /** Lines up to END, gathered; undefined = one reply is enough. */
  readonly lines: string[] | undefined;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** A connection with many requests under way; every request has exactly one reply, in their order. */
export class PipeClient {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #isLost = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#parse();
    });
    socket.on('error', () => undefined);
    const lose = (): void => {
      this.#isLost = true;
      for (const waiting of this.#waiting.splice(0)) waiting.reject(new ConnectionLost('connection lost'));
    };
    socket.on('end', lose);
    socket.on('close', lose);
  }

  /** Connects to a port of 127.0.0.1 or to a unix socket. Rejects with ConnectionLost when nobody listens. */
  static async connect(where: number | string): Promise<PipeClient> {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where);
    try {
      await once(socket, 'connect');
    } catch (cause) {
      throw new ConnectionLost('nobody listens', { cause });
    }
    return new PipeClient(socket);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Sends lines, without the last CRLF, of which one is answered, with one line or one value. */
  ask(lines: string, data?: Buffer): Promise<Reply> {
    return this.#send(lines, data, undefined);
  }

  /** Sends a line that is answered by lines up to END; gives these back without it. Rejects when it is answered with an error. */
  async list(line: string): Promise<string[]> {
    const lines: string[] = [];
    const end = await this.#send(line, undefined, lines);
    if (end.line.includes('ERROR')) throw new Error(`${line} is answered with ${end.line}`);
    return lines;
  }

  /** The numbers of a group of stats. */
  async stats(group = ''): Promise<Map<string, number>> {
    const lines = await this.list(`stats ${group}`.trim());
    return new Map(lines.map((line) => [line.split(' ')[1] ?? '', Number(line.split(' ')[2])]));
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(lines: string, data: Buffer | undefined, gathered: string[] | undefined): Promise<Reply> {
    if (this.#isLost) return Promise.reject(new ConnectionLost('connection lost'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines: gathered, resolve, reject });
      const head = Buffer.from(`${lines}\r\n`, 'latin1');
      this.#socket.write(data === undefined ? head : Buffer.concat([head, data, Buffer.from('\r\n')]));
    });
  }

  #parse(): void {
    for (;;) {
      const lineEnd = this.#bytes.indexOf('\r\n');
      if (lineEnd < 0) return;
      const line = this.#bytes.toString('latin1', 0, lineEnd);
      let next = lineEnd + 2;
      let value: Buffer | undefined;
      if (line.startsWith('VA ')) {
        const end = next + Number(line.split(' ')[1]);
        if (this.#bytes.length < end + 2) return;
        value = Buffer.from(this.#bytes.subarray(next, end));
        next = end + 2;
      }
      this.#bytes = this.#bytes.subarray(next);
      const [first] = this.#waiting;
      if (first?.lines !== undefined && !/^(ERROR|CLIENT_ERROR|SERVER_ERROR)/.test(line)) {
        // The lines of a metadump end in LF alone, so that all of them come with END as one.
        const isEnd = line === 'END' || line.endsWith('\nEND');
        if (line !== 'END') first.lines.push(line);
        if (!isEnd) continue;
      }
      this.#waiting.shift();
      first?.resolve({ line, value });
    }
  }
}
