import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

const PROGRAM = join(import.meta.dirname, '../../../src/cli.js');
const METER = join(import.meta.dirname, 'step-meter.js');
const STOP_LIMIT_MS = 20_000;

/** A server of its own process with an empty store, to be treated badly. */
export class Victim {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.#child = child;
    this.#directory = directory;
    this.port = port;
  }

  /** Starts a server with these options of `serve` and waits until it listens. */
  static async start(args: readonly string[]): Promise<Victim> {
    const directory = mkdtempSync(join(tmpdir(), 'tugela-hostile-'));
    const child = spawn(process.execPath, ['--import', METER, PROGRAM, 'serve', '--port', '0', '--file', join(directory, 'data'), '--log-level', 'error', ...args], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    let text = '';
    for await (const chunk of child.stdout!) {
      text += String(chunk);
      const port = /listening on \S+:(\d+)\n/.exec(text)?.[1];
      if (port !== undefined) return new Victim(child, directory, Number(port));
    }
    throw new Error('the server did not start');
  }

  /** Of the bytes resident now those of the process alone, and those of files, which the kernel can take back. */
  get anonymousRss(): number {
    return this.#memory('RssAnon');
  }

  get fileRss(): number {
    return this.#memory('RssFile');
  }

  /** The longest that the server has worked in one go since the last call: CPU time in milliseconds. */
  async longestStep(): Promise<number> {
    this.#child.send('longest');
    const [longest] = (await once(this.#child, 'message')) as [number];
    return longest;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const insist = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
      await exited;
      clearTimeout(insist);
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  #memory(field: string): number {
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${this.#child.pid}/status`, 'latin1'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  }
}

/** A connection that asks one thing after the other. */
export class Asker {
  readonly socket: Socket;
  #tail = '';
  #bytes = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - TAIL_BYTES))).slice(-TAIL_BYTES);
      this.#wake();
    });
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    socket.on('error', over);
    socket.on('close', over);
  }

  static async connect(port: number, speaks: 'plain' | 'tls' = 'plain'): Promise<Asker> {
    const socket = speaks === 'tls' ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1');
    await once(socket, speaks === 'tls' ? 'secureConnect' : 'connect');
    return new Asker(socket);
  }

  /** Sends and resolves with the end of the reply, up to 64 KB of it, once it ends so. Throws when the server ends the connection. */
  async ask(request: string | readonly (string | Buffer)[], end: string): Promise<string> {
    this.#tail = '';
    this.#bytes = 0;
    for (const part of typeof request === 'string' ? [request] : request) this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
    while (!this.#tail.endsWith(end)) {
      if (this.#isOver) throw new Error(`the server ended the connection after ${this.#bytes} bytes: ${this.#tail.slice(-100)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#tail;
  }

  /** The figures of a group of stats. */
  async stats(group: string): Promise<ReadonlyMap<string, string>> {
    const reply = await this.ask(`stats ${group}\r\n`, 'END\r\n');
    return new Map([...reply.matchAll(/^STAT (\S+) (.*)\r$/gm)].map((match) => [match[1]!, match[2]!]));
  }

  close(): void {
    this.socket.destroy();
  }
}

const TAIL_BYTES = 64 * 1024;
