import type { Logger } from '../log.ts';
import type { Timers } from './timers.ts';

/** How a child ended; `error` when it could not be started at all. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}

/** A running child process, as little of it as supervision needs. */
export interface Child {
  readonly pid: number | undefined;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts the child; `onExit` is called exactly once for it, never before this returns. */
export type SpawnChild = (onExit: (exit: ChildExit) => void) => Child;

export interface SuperviseDeps {
  readonly spawn: SpawnChild;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Waits at least this long before a restart, and doubles it for each child that dies young. */
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 60_000;
/** A child that lived this long was healthy: the next restart is quick again. */
const HEALTHY_AFTER_MS = 60_000;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 5000;

/**
 * Keeps one child process running until `stop()`: restarted whenever it ends, whatever its exit status,
 * with growing pauses while it keeps dying.
 */
export class Supervisor {
  readonly #name: string;
  readonly #deps: SuperviseDeps;
  #child: Child | undefined;
  #startedAtMs = 0;
  #backoffMs = BACKOFF_MIN_MS;
  #cancelRestart: (() => void) | undefined;
  #stopping = false;
  #onGone: (() => void) | undefined;

  /** `name` is what the log calls the child. */
  constructor(name: string, deps: SuperviseDeps) {
    this.#name = name;
    this.#deps = deps;
  }

  start(): void {
    this.#cancelRestart = undefined;
    this.#startedAtMs = this.#deps.timers.nowMs();
    this.#child = this.#deps.spawn((exit) => this.#exited(exit));
    if (this.#child.pid !== undefined) this.#deps.logger.info({ child: this.#child.pid }, `${this.#name} started`);
  }

  /** Resolves when the child is gone for good: SIGTERM, and SIGKILL if it does not heed that. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart?.();
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => {
      this.#onGone = resolve;
    });
    child.kill('SIGTERM');
    const cancelKill = this.#deps.timers.after(KILL_AFTER_MS, () => {
      this.#deps.logger.warn({ child: child.pid }, `${this.#name} does not stop, killing it`);
      child.kill('SIGKILL');
    });
    await gone;
    cancelKill();
  }

  #exited(exit: ChildExit): void {
    const child = this.#child?.pid;
    this.#child = undefined;
    if (this.#stopping) {
      this.#deps.logger.info({ child, code: exit.code, signal: exit.signal }, `${this.#name} stopped`);
      this.#onGone?.();
      return;
    }
    const livedMs = this.#deps.timers.nowMs() - this.#startedAtMs;
    if (livedMs >= HEALTHY_AFTER_MS) this.#backoffMs = BACKOFF_MIN_MS;
    const restartMs = this.#backoffMs;
    this.#backoffMs = Math.min(restartMs * 2, BACKOFF_MAX_MS);
    this.#deps.logger.warn(
      { child, code: exit.code, signal: exit.signal, restartMs, err: exit.error },
      `${this.#name} ended, will be restarted`,
    );
    this.#cancelRestart = this.#deps.timers.after(restartMs, () => this.start());
  }
}
