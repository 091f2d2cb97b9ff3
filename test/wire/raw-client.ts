import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { within } from '../support/process.ts';

/** Where to connect: a port of 127.0.0.1, a unix socket's path, or a host with a port. */
export type Where = number | string | { readonly host: string; readonly port: number };

/** An item as `gets` shows it. */
export interface SeenItem {
  readonly key: string;
  readonly flags: number;
  readonly value: Buffer;
  readonly cas: string;
}

/** How long a reply may take. */
const PATIENCE_MS = 15_000;

/** A connection on which a test says and hears bytes. Text is latin1, so that a character is a byte. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<void>;
  #chunks: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    // A reset is an end like others: what was received before counts.
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const over = (): void => {
        this.#isOver = true;
        this.#wake();
        resolve();
      };
      socket.on('end', over);
      socket.on('close', over);
    });
  }

  static async connect(where: Where): Promise<RawClient> {
    const socket =
      typeof where === 'number' ? connect(where, '127.0.0.1') : typeof where === 'string' ? connect(where) : connect(where.port, where.host);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** The same on a connection that is made already. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket);
  }

  /** What was received and not yet taken. */
  get received(): Buffer {
    if (this.#chunks.length > 0) {
      this.#received = Buffer.concat([this.#received, ...this.#chunks]);
      this.#chunks = [];
    }
    return this.#received;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** Takes as many bytes, fewer if the connection ends. Stops early where `mismatch` says so. */
  async take(length: number, mismatch?: (bytes: Buffer) => boolean): Promise<Buffer> {
    const bytes = await this.#wait(() => {
      // A large value would be put together anew with each piece of it.
      const there = this.#chunks.reduce((sum, chunk) => sum + chunk.length, this.#received.length);
      if (there < length && mismatch === undefined) return -1;
      const { received } = this;
      return received.length >= length || mismatch?.(received) === true ? received.length : -1;
    }, `${length} bytes`);
    return this.#cut(Math.min(bytes, length));
  }

  /** Takes a line, without its CRLF; undefined when the connection has ended. */
  async line(): Promise<string | undefined> {
    let searched = 0;
    const end = await this.#wait(() => {
      const { received } = this;
      const at = received.indexOf('\r\n', searched);
      searched = Math.max(0, received.length - 1);
      return at;
    }, 'a line');
    if (end === this.received.length) {
      if (end === 0) return undefined;
      throw new Error(`connection ended in a line: ${this.received.toString('latin1')}`);
    }
    return this.#cut(end + 2).toString('latin1', 0, end);
  }

  /** Sends a command line and takes one line of reply. */
  async ask(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    const line = await this.line();
    if (line === undefined) throw new Error(`connection ended after: ${command}`);
    return line;
  }

  /** Sends a command line and takes lines up to one that is END or an error. */
  async list(command: string): Promise<string[]> {
    const lines = [await this.ask(command)];
    while (!/^(END|ERROR|CLIENT_ERROR|SERVER_ERROR)/.test(lines.at(-1) ?? '')) {
      const line = await this.line();
      if (line === undefined) throw new Error(`connection ended in the reply to: ${command}`);
      lines.push(line);
    }
    return lines;
  }

  async stats(group = ''): Promise<Map<string, string>> {
    const lines = await this.list(`stats ${group}`.trim());
    return new Map(lines.slice(0, -1).map((line) => [line.split(' ')[1] ?? '', line.split(' ').slice(2).join(' ')]));
  }

  async stat(name: string, group = ''): Promise<number> {
    return Number((await this.stats(group)).get(name));
  }

  /** Stores; gives back the reply. `command` may be any storage command but cas. */
  async store(command: string, key: string, value: string | Buffer, flags = 0, exptime = 0): Promise<string> {
    const block = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
    this.send(Buffer.concat([Buffer.from(`${command} ${key} ${flags} ${exptime} ${block.length}\r\n`, 'latin1'), block, Buffer.from('\r\n')]));
    return (await this.line()) ?? 'connection ended';
  }

  set(key: string, value: string | Buffer, flags = 0, exptime = 0): Promise<string> {
    return this.store('set', key, value, flags, exptime);
  }

  async cas(key: string, value: string, cas: string, flags = 0, exptime = 0): Promise<string> {
    return this.ask(`cas ${key} ${flags} ${exptime} ${Buffer.byteLength(value, 'latin1')} ${cas}\r\n${value}`);
  }

  /** Looks keys up with `gets`. */
  async getMany(...keys: string[]): Promise<SeenItem[]> {
    this.send(`gets ${keys.join(' ')}\r\n`);
    const items: SeenItem[] = [];
    for (;;) {
      const line = await this.line();
      if (line === 'END') return items;
      const [word, key, flags, length, cas] = line?.split(' ') ?? [];
      if (word !== 'VALUE' || key === undefined || cas === undefined) throw new Error(`not a reply to gets: ${line}`);
      const block = await this.take(Number(length) + 2);
      if (block.toString('latin1', Number(length)) !== '\r\n') throw new Error(`value of ${key} does not end in CRLF`);
      items.push({ key, flags: Number(flags), value: block.subarray(0, Number(length)), cas });
    }
  }

  async get(key: string): Promise<SeenItem | undefined> {
    return (await this.getMany(key))[0];
  }

  async text(key: string): Promise<string | undefined> {
    return (await this.get(key))?.value.toString('latin1');
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resolves with what `look` finds, or with the length of what there is when the connection has ended. */
  async #wait(look: () => number, what: string): Promise<number> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const found = look();
      if (found >= 0) return found;
      if (this.#isOver) return this.received.length;
      await within(woken, () => `no ${what}; received: ${this.received.toString('latin1', 0, 500)}`, endMs - performance.now());
    }
  }

  #cut(length: number): Buffer {
    const { received } = this;
    this.#received = received.subarray(length);
    return received.subarray(0, length);
  }
}
