import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The program under test, as compiled by the global set-up. */
export const PROGRAM: string = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

const START_TIMEOUT_MS = 15_000;

/** A server that listens on a port of 127.0.0.1, and can be killed and started again on the same state. */
export interface ServerProcess {
  readonly name: string;
  readonly port: number;
  /** True for servers whose items outlive a kill. */
  readonly persists: boolean;
  /** Kills it with SIGKILL and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** `tugela-ts serve` on a directory of its own. */
export class TugelaProcess implements ServerProcess {
  readonly name: string;
  readonly persists = true;
  readonly #directory: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(name: string, directory: string, options: readonly string[]) {
    this.name = name;
    this.#directory = directory;
    this.#options = options;
  }

  static async start(name: string, directory: string, options: readonly string[]): Promise<TugelaProcess> {
    const server = new TugelaProcess(name, directory, options);
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts it, after a kill on the port it had before. */
  async start(): Promise<void> {
    const args = ['serve', '--port', String(this.#port), '--file', this.#directory, '--log-level', 'error', ...this.#options];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    this.#port = await new Promise<number>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const port = /listening on 127\.0\.0\.1:(\d+)\n/.exec(text)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
      child.once('exit', (code) => reject(new Error(`tugela-ts ended with ${code} before it listened: ${said}`)));
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
  }
}

/** Where Debian's package puts the server that replies are compared with. */
export const MEMCACHED = '/usr/bin/memcached';

/** Real memcached. `directory` receives the file in which it tells its port. */
export class MemcachedProcess implements ServerProcess {
  readonly name = 'memcached';
  readonly persists = false;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(directory: string, options: readonly string[]): Promise<MemcachedProcess> {
    const portFile = join(directory, 'memcached-port');
    // It refuses to run as root unless told to.
    const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
    const child = spawn(MEMCACHED, ['-l', '127.0.0.1', '-p', '-1', '-U', '0', ...user, ...options], {
      env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 1000)));
    for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await sleep(10)) {
      if (child.exitCode !== null) throw new Error(`memcached ended with ${child.exitCode}: ${said}`);
      if (!existsSync(portFile)) continue;
      const port = /TCP INET: (\d+)/.exec(readFileSync(portFile, 'latin1'))?.[1];
      if (port !== undefined) return new MemcachedProcess(child, Number(port));
    }
    child.kill('SIGKILL');
    throw new Error(`memcached did not tell its port: ${said}`);
  }

  restart(): Promise<void> {
    throw new TypeError('memcached would lose its items');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}
