import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Answers a command line with bytes; `undefined` = says nothing, `'hang up'` = ends the connection. */
export type Answer = (line: string) => string | undefined;

/** A server of text lines on a free port of this machine. */
export class FakeServer {
  /** Lines received, the greeting left out. */
  readonly lines: string[] = [];
  connections = 0;
  /** Writes replies byte by byte. */
  slow = false;
  pid = 1;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(answer: Answer) {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket.setNoDelay(true));
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      let partial = '';
      let turn = Promise.resolve();
      socket.on('data', (chunk: Buffer) => {
        const lines = (partial + chunk.toString('latin1')).split('\r\n');
        partial = lines.pop() ?? '';
        for (const line of lines) {
          turn = turn.then(async () => await this.#reply(socket, line, answer));
        }
      });
    });
  }

  static async open(answer: Answer, port = 0): Promise<FakeServer> {
    const server = new FakeServer(answer);
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends the connections and stops listening. */
  async close(): Promise<void> {
    this.drop();
    if (!this.#server.listening) return;
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends the connections only. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #reply(socket: Socket, line: string, answer: Answer): Promise<void> {
    const isGreeting = line === 'stats';
    if (!isGreeting) this.lines.push(line);
    const reply = isGreeting
      ? `STAT pid ${this.pid}\r\nSTAT uptime 5\r\nSTAT time 1000\r\nSTAT version 1.0 beta\r\nEND\r\n`
      : answer(line);
    if (reply === undefined) return;
    if (reply.endsWith('hang up')) {
      socket.end(reply.slice(0, -'hang up'.length));
      return;
    }
    if (!this.slow) {
      socket.write(reply, 'latin1');
      return;
    }
    for (const byte of Buffer.from(reply, 'latin1')) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
  }
}
