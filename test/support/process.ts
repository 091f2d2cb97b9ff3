import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As seen from this file's source, and from where it is compiled to. */
const PROGRAM_PLACES = ['../../dist/src/cli.js', '../../src/cli.js'].map((place) => fileURLToPath(new URL(place, import.meta.url)));
/** The program under test. */
export const PROGRAM: string = PROGRAM_PLACES.find((path) => existsSync(path)) ?? PROGRAM_PLACES[0]!;

/** How long a process may take for what a test waits for. */
const PATIENCE_MS = 20_000;

/** Children that still run, so that none outlives a test run that is broken off. */
const running = new Set<ChildProcess>();
/** Directories that are still there, to be removed then as well. */
const directories = new Set<string>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
});

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** Rejects with `message()` when `promise` takes too long, so that a test says what it was waiting for. */
export async function within<T>(promise: Promise<T>, message: () => string, patienceMs: number = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message())), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks again and again until `probe` gives something else than undefined or false: for what nobody announces,
 * such as the second in which an item expires.
 */
export async function eventually<T>(probe: () => Promise<T | undefined | false>, what: string, patienceMs: number = PATIENCE_MS): Promise<T> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** True while a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A real tugela-ts process: its output, its log, its end. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #changed: () => void = () => undefined;
  #change: Promise<void> = Promise.resolve();
  #isOver = false;

  /** `command` is what takes the arguments; the program itself if absent. */
  constructor(args: readonly string[], environment: NodeJS.ProcessEnv, directory: string, command: readonly [string, ...string[]] = [process.execPath, PROGRAM]) {
    const [file, ...first] = command;
    const child = spawn(file, [...first, ...args], {
      cwd: directory,
      env: { ...withoutOurs(process.env), ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child = child;
    running.add(child);
    this.#renew();
    child.stdin?.on('error', () => undefined);
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('latin1');
      this.#renew();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#renew();
    });
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      running.delete(child);
      this.#renew();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the process could not be started');
    return pid;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get log(): LogLine[] {
    return this.stderr
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Resolves with the first log line, past or to come, that has this message. */
  logged(message: string): Promise<LogLine> {
    return this.until(() => this.log.find((line) => line['msg'] === message), `log line "${message}"`);
  }

  /** Resolves when `find` finds something in what the process has written. */
  async until<T>(find: () => T | undefined | false, what: string): Promise<T> {
    const endMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const change = this.#change;
      const found = find();
      if (found !== undefined && found !== false) return found;
      const seen = (): string => `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
      if (this.#isOver) throw new Error(`process ended without ${what}\n${seen()}`);
      await within(change, () => `no ${what}\n${seen()}`, endMs - performance.now());
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Asks the process to end in order; gives back its exit code. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.signal(name);
    const { code } = await within(this.ended, () => `process did not stop\n${this.stderr}`);
    return code;
  }

  /** Ends the process at once, in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  #renew(): void {
    this.#changed();
    this.#change = new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

/** A running `tugela-ts serve`. */
export class ServerProcess extends Program {
  /** Where it listens: "127.0.0.1:40123", "unix:/path". */
  addresses: readonly string[] = [];

  get port(): number {
    const address = this.addresses.find((each) => !each.startsWith('unix:'));
    return Number(address?.split(':').at(-1));
  }
}

export interface ServerOptions {
  /** Directory of the store, in the workspace; "data" if absent. */
  readonly directory?: string;
  readonly args?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Addresses that are to be waited for. */
  readonly addresses?: number;
  /** Leave out `--port 0`. */
  readonly withoutPort?: boolean;
}

/** A temporary directory and all processes of one test. Close it whatever happened. */
export class Workspace {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'tugela-test-'));
  readonly #programs: Program[] = [];

  constructor() {
    directories.add(this.directory);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts a server and resolves when it listens. */
  async serve(options: ServerOptions = {}): Promise<ServerProcess> {
    const { directory = 'data', args = [], environment = {}, addresses = 1, withoutPort = false } = options;
    const port = withoutPort ? [] : ['--port', '0'];
    const server = new ServerProcess(['serve', ...port, '--file', this.path(directory), ...args], environment, this.directory);
    this.#programs.push(server);
    server.addresses = await server.until(() => {
      const found = [...server.stdout.matchAll(/^listening on (\S+)\n/gm)].map((match) => match[1] ?? '');
      return found.length >= addresses && found;
    }, 'listening line');
    return server;
  }

  /** Starts any command of the program. */
  start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Program {
    const program = new Program(args, environment, this.directory);
    this.#programs.push(program);
    return program;
  }

  /**
   * Starts a line of shell commands on a terminal of its own, with `tugela` for the program. What is typed there is its
   * stdin, what the terminal shows its stdout. Needs `script` of util-linux.
   */
  startOnTerminal(line: string): Program {
    const shell = `tugela() { '${process.execPath}' '${PROGRAM}' "$@"; }; ${line}`;
    const program = new Program(['-qec', shell, '/dev/null'], { SHELL: '/bin/sh' }, this.directory, ['script']);
    this.#programs.push(program);
    return program;
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Program & Ended> {
    const program = this.start(args, environment);
    const ended = await within(program.ended, () => `still runs: ${args.join(' ')}\n${program.stderr}`);
    return Object.assign(program, ended);
  }

  /** Ends what still runs and removes the directory. */
  async close(): Promise<void> {
    for (const program of this.#programs) if (!program.isOver) program.signal('SIGKILL');
    await Promise.all(this.#programs.map((program) => program.ended));
    rmSync(this.directory, { recursive: true, force: true });
    directories.delete(this.directory);
  }
}

function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TUGELA_')));
}
