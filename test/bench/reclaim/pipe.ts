import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const LF = 10;

/** A connection that sends many one-line requests at once and counts the lines of the replies. */
export class Pipe {
  readonly #socket: Socket;
  #lines = 0;
  #last = '';
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#count(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static async connect(port: number): Promise<Pipe> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new Pipe(socket);
  }

  /** Sends requests that are answered with so many lines together, and waits for these. Returns the last of what came. */
  async ask(requests: Buffer | string, lines: number): Promise<string> {
    this.#lines = 0;
    this.#socket.write(requests);
    while (this.#lines < lines) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#last;
  }

  /** Sends a request whose reply ends in a line `END`, and returns it all. */
  async list(request: string): Promise<string> {
    let text = '';
    const gather = (chunk: Buffer): void => void (text += chunk.toString('latin1'));
    this.#socket.on('data', gather);
    this.#socket.write(`${request}\r\n`);
    while (!text.endsWith('END\r\n')) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#socket.off('data', gather);
    return text;
  }

  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #count(chunk: Buffer): void {
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) this.#lines++;
    this.#last = chunk.toString('latin1', Math.max(0, chunk.length - 100)).trim();
    // After all who listen have seen it.
    queueMicrotask(() => this.#wake?.());
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
