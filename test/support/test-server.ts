import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import type { ServeConfig } from '../../src/config.ts';
import { defaultConfig } from '../../src/index.ts';
import { type RunningServer, type StartDeps, startServer } from '../../src/server/start.ts';
import { ManualClock } from './manual-clock.ts';
import { tempDirectory } from './temp-directory.ts';

/** A server in this process, on a free port, that stops with the test. */
export async function startTestServer(
  change: Partial<ServeConfig> = {},
  deps: Partial<StartDeps> = {},
): Promise<{ server: RunningServer; port: number; clock: ManualClock; directory: string }> {
  const directory = change.file ?? tempDirectory();
  const clock = new ManualClock();
  const config: ServeConfig = { ...defaultConfig, port: 0, file: directory, memory: 8, connections: 100, sync: 0, ...change };
  const server = await startServer(config, { logger: pino({ level: 'silent' }), sweep: async () => {}, clock, ...deps });
  onTestFinished(() => server.stop());
  const port = Number(server.addresses[0]?.split(':').at(-1));
  return { server, port, clock, directory };
}

/** A client that keeps what it reads. */
export class TestClient {
  readonly socket: Socket;
  received = '';
  isEnded = false;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.#changed();
    });
    socket.on('end', () => {
      this.isEnded = true;
      this.#changed();
    });
    socket.on('error', () => {
      this.isEnded = true;
      this.#changed();
    });
  }

  static async connect(port: number): Promise<TestClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    onTestFinished(() => {
      socket.destroy();
    });
    return new TestClient(socket);
  }

  send(text: string | Buffer): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves with all that came, once it is at least this long or the server has ended. */
  async receive(length: number): Promise<string> {
    await this.#until(() => this.received.length >= length || this.isEnded);
    const text = this.received;
    this.received = '';
    return text;
  }

  /** Sends a text and resolves with what comes up to the given end. */
  async ask(text: string, end = '\r\n'): Promise<string> {
    this.send(text);
    await this.#until(() => this.received.endsWith(end) || this.isEnded);
    const reply = this.received;
    this.received = '';
    return reply;
  }

  /** Resolves with the rest when the server has ended the connection. */
  async end(): Promise<string> {
    await this.#until(() => this.isEnded);
    const text = this.received;
    this.received = '';
    return text;
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
