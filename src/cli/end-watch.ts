import type { Logger } from '../log.ts';
import type { Timers } from './timers.ts';

/** Where signals and uncaught errors come from: the process, or an emitter in tests. */
export interface SignalSource {
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
}

/** How long an orderly stop may take. */
export const STOP_LIMIT_MS = 30_000;

/** SIGUSR1 is memcached's graceful stop, which every stop is here; it also keeps Node from opening its inspector. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGUSR1'] as const;

/**
 * Watches for what ends a server. The first SIGTERM, SIGINT or SIGUSR1 asks for an orderly stop; a second one, an
 * uncaught error, or the end of the time allowed forces it. SIGHUP is passed on to whoever asks for it.
 */
export class EndWatch {
  /** Resolves with what asks for an orderly stop: a signal's name, or another reason. */
  readonly requested: Promise<string>;
  /** Resolves when the process is to end at once, with the work in hand or not. */
  readonly forced: Promise<void>;
  readonly #logger: Logger;
  readonly #timers: Timers;
  readonly #source: SignalSource;
  readonly #listeners = new Map<string, (value: unknown) => void>();
  #resolveRequested: (reason: string) => void = () => undefined;
  #resolveForced: () => void = () => undefined;
  #cancelLimit: (() => void) | undefined;
  #asked = false;
  #hangup: () => void;

  constructor(source: SignalSource, timers: Timers, logger: Logger) {
    this.#source = source;
    this.#timers = timers;
    this.#logger = logger;
    this.requested = new Promise((resolve) => {
      this.#resolveRequested = resolve;
    });
    this.forced = new Promise((resolve) => {
      this.#resolveForced = resolve;
    });
    this.#hangup = () => this.#logger.info('SIGHUP ignored: still starting');
    for (const signal of STOP_SIGNALS) this.#listen(signal, () => this.#ask(signal));
    this.#listen('SIGHUP', () => this.#hangup());
    // Unhandled rejections arrive here as well.
    this.#listen('uncaughtException', (error) => {
      this.#logger.fatal({ err: error }, 'uncaught error, ending');
      this.#resolveForced();
    });
  }

  /** True once an orderly stop was asked for. */
  get stopping(): boolean {
    return this.#asked;
  }

  /** From now on SIGHUP means this. */
  onHangup(run: () => void): void {
    this.#hangup = run;
  }

  /** Asks for an orderly stop as a signal does, but never forces one that is under way. */
  request(reason: string): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#logger.info(`${reason}, stopping`);
    this.startLimit();
    this.#resolveRequested(reason);
  }

  /** Starts the time an orderly stop may take; later calls change nothing. */
  startLimit(): void {
    this.#cancelLimit ??= this.#timers.after(STOP_LIMIT_MS, () => {
      this.#logger.error(`not stopped after ${STOP_LIMIT_MS / 1000} s, giving up`);
      this.#resolveForced();
    });
  }

  /** Lets go of the process and the timer. */
  close(): void {
    this.#cancelLimit?.();
    for (const [event, listener] of this.#listeners) this.#source.off(event, listener);
  }

  #ask(signal: string): void {
    if (this.#asked) {
      this.#logger.warn(`${signal} again, ending at once`);
      this.#resolveForced();
      return;
    }
    this.request(signal);
  }

  #listen(event: string, listener: (value: unknown) => void): void {
    this.#listeners.set(event, listener);
    this.#source.on(event, listener);
  }
}
