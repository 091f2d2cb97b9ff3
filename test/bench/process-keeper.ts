import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** How a process is started. */
export interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
}

/**
 * Starts processes, each as the leader of a session of its own, and sees to it that none outlives the bench. A guard
 * process does that when the bench has no chance to.
 */
export class ProcessKeeper {
  readonly #directory: string;
  readonly #guard: ChildProcess;
  readonly #children = new Set<ChildProcess>();

  /** `directory` is removed in the end. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#guard = spawn(process.execPath, [join(import.meta.dirname, 'guard-process.js'), directory], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
    this.#guard.stdin?.on('error', () => undefined);
    this.#guard.unref();
  }

  /** Starts a process. Throws when it cannot be started. */
  async start(file: string, args: readonly string[], options: StartOptions): Promise<ChildProcess> {
    const child = spawn(file, args, { ...options, detached: true });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    this.#children.add(child);
    this.#guard.stdin?.write(`+${child.pid}\n`);
    child.once('exit', () => {
      // What it left behind in its group goes with it.
      signalGroup(child, 'SIGKILL');
      this.#children.delete(child);
      this.#guard.stdin?.write(`-${child.pid}\n`);
    });
    return child;
  }

  /** Ends everything at once and removes the directory. For a second call there is nothing left to do. */
  endAll(): void {
    for (const child of this.#children) signalGroup(child, 'SIGKILL');
    this.#children.clear();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    this.#guard.stdin?.end();
  }
}

/** Sends a signal to a process and all it started in its session. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}
