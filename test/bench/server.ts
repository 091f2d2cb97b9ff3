import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestants.ts';
import { diskBytes } from './disk-usage.ts';
import { type ProcessKeeper, signalGroup } from './process-keeper.ts';
import { type IoCounters, sessionIo } from './process-io.ts';
import { sessionUsage, type Usage } from './process-usage.ts';

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 20_000;
const POLL_MS = 5;
/** Has glibc ask for memory in huge pages, as `npm start` and the systemd unit do (docs/operations.md). For all servers alike. */
const HUGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };
/** A server that used no more than this in a quiet period has nothing left to do. */
const QUIET_CPU_SECONDS = 0.011;
const QUIET_MS = 250;

/** How a server tells its version. */
interface VersionQuestion {
  readonly question: string;
  readonly answer: RegExp;
}

const TEXT_VERSION: VersionQuestion = { question: 'version', answer: /^VERSION (.*)/ };
const RESP_VERSION: VersionQuestion = { question: 'INFO server', answer: /^redis_version:(.*)/m };

/** What a server is started for. */
export interface ServerNeeds {
  readonly directory: string;
  readonly valueBytes: number;
  readonly connections: number;
  /** As a contestant's command has them. */
  readonly memoryMb?: number;
  readonly wholeMb?: number;
}

/** A running server. */
export class Server {
  readonly contestant: Contestant;
  readonly port: number;
  /** As it answers to `version`. */
  readonly version: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(contestant: Contestant, child: ChildProcess, directory: string, port: number, version: string) {
    this.contestant = contestant;
    this.#child = child;
    this.#directory = directory;
    this.port = port;
    this.version = version;
  }

  /** Starts a server on a free port with an empty directory of its own, and waits until it answers. */
  static async start(contestant: Contestant, needs: ServerNeeds, keeper: ProcessKeeper): Promise<Server> {
    const directory = join(needs.directory, contestant.name);
    const dataDirectory = join(directory, 'data');
    mkdirSync(dataDirectory, { recursive: true });
    const context = { ...needs, dir: dataDirectory, port: contestant.announcesPort ? 0 : await freePort() };
    const [file, ...args] = contestant.command(context);
    const errorFile = join(directory, 'stderr');
    const errorHandle = openSync(errorFile, 'w');
    const child = await keeper
      .start(file, args, { cwd: dataDirectory, env: { ...HUGE_PAGES, ...process.env }, stdio: ['ignore', contestant.announcesPort ? 'pipe' : 'ignore', errorHandle] })
      .finally(() => closeSync(errorHandle));
    try {
      const port = contestant.announcesPort ? await announcedPort(child) : context.port;
      return new Server(contestant, child, directory, port, await askVersion(child, port, contestant.protocol === 'resp' ? RESP_VERSION : TEXT_VERSION));
    } catch (error) {
      signalGroup(child, 'SIGKILL');
      const said = readFileSync(errorFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
      throw new Error(`${contestant.name} did not start: ${(error as Error).message}${said === '' ? '' : ` (${said})`}`, { cause: error });
    }
  }

  /** CPU time and memory so far, with its children. */
  usage(): Usage {
    return sessionUsage(this.pid);
  }

  /** What it read and wrote so far, with its children; undefined when the kernel does not tell. */
  io(): IoCounters | undefined {
    return sessionIo(this.pid);
  }

  /** Bytes that its data takes on disk. */
  diskBytes(): number {
    return diskBytes(this.dataDirectory);
  }

  /** Where its data lies. */
  get dataDirectory(): string {
    return join(this.#directory, 'data');
  }

  /** Waits until the server has done what it does behind its answers (compaction, sweeping), or for `limitMs`. */
  async settle(limitMs: number): Promise<void> {
    const endsAt = performance.now() + limitMs;
    let before = this.usage().cpuSeconds;
    while (performance.now() < endsAt) {
      await sleep(QUIET_MS);
      const now = this.usage().cpuSeconds;
      if (now - before <= QUIET_CPU_SECONDS) return;
      before = now;
    }
  }

  /** Holds the server still while others are measured: its timers would cost them. */
  pause(): void {
    signalGroup(this.#child, 'SIGSTOP');
  }

  /** Ends a pause. */
  resume(): void {
    signalGroup(this.#child, 'SIGCONT');
  }

  /** The process that leads the server's session. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Stops the server and removes its directory. */
  async stop(): Promise<void> {
    await this.end();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** Has the server end, and insists when it does not. Its directory stays: another may be started on it. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.resume();
      signalGroup(this.#child, signal);
      const insist = setTimeout(() => signalGroup(this.#child, 'SIGKILL'), STOP_LIMIT_MS);
      await exited;
      clearTimeout(insist);
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function announcedPort(child: ChildProcess): Promise<number> {
  let text = '';
  const signal = AbortSignal.timeout(START_LIMIT_MS);
  child.stdout?.setEncoding('utf8');
  while (true) {
    const port = /listening on \S+:(\d+)\n/.exec(text)?.[1];
    if (port !== undefined) {
      child.stdout?.resume();
      return Number(port);
    }
    if (child.stdout === null || hasEnded(child)) throw new Error('it ended');
    const [chunk] = (await Promise.race([once(child.stdout, 'data', { signal }), once(child, 'exit', { signal })])) as [unknown];
    if (typeof chunk === 'string') text += chunk;
  }
}

/** Asks for the version until it is told. */
async function askVersion(child: ChildProcess, port: number, { question, answer }: VersionQuestion): Promise<string> {
  const endsAt = performance.now() + START_LIMIT_MS;
  while (performance.now() < endsAt) {
    if (hasEnded(child)) throw new Error('it ended');
    const version = answer.exec((await askOnce(port, question)) ?? '')?.[1];
    if (version !== undefined) return version.trim();
    await sleep(POLL_MS);
  }
  throw new Error('no answer to version');
}

/** What a server sends first in answer to a line; undefined when there is no answer. */
export async function askOnce(port: number, line: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setEncoding('latin1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.write(`${line}\r\n`));
    socket.on('data', (text: string) => {
      resolve(text);
      socket.destroy();
    });
    socket.on('close', () => resolve(undefined));
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
