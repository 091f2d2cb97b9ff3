import type { Logger } from 'pino';
import { opName } from '../cache/command.ts';
import type { ConnectionContext } from './connection.ts';

/** Where each command is logged, with its connection and its keys. */
const TRACING = 2;
/** Keys of one command that are logged. */
const KEYS_LOGGED = 16;

/** How much is logged: 0, 1 or 2, as -v says it and the command `verbosity` changes it. */
export class Verbosity {
  readonly #logger: Logger;
  /** The log level at verbosity 0. */
  readonly #quietLevel: string;
  #level: number;

  /** The logger has the log level that belongs to `level` already. */
  constructor(logger: Logger, level: number) {
    this.#logger = logger;
    this.#quietLevel = level > 0 ? 'info' : logger.level;
    this.#level = level;
  }

  get level(): number {
    return this.#level;
  }

  /** True when connections and commands are logged. */
  get isTracing(): boolean {
    return this.#level >= TRACING;
  }

  set(level: number): void {
    this.#level = Math.min(level, TRACING);
    const levels = [this.#quietLevel, 'debug', 'trace'] as const;
    this.#logger.level = levels[this.#level]!;
  }

  /** Logs a command with its keys, never with a value; undefined while commands are not logged. */
  get trace(): ConnectionContext['trace'] {
    if (!this.isTracing) return undefined;
    return (connection, command) => {
      const keys: string[] = [];
      for (let i = 0; i < Math.min(command.keyCount, KEYS_LOGGED); i++) {
        keys.push(command.buffer.toString('latin1', command.keyStarts[i], command.keyEnds[i]));
      }
      this.#logger.trace({ connection: connection.id, command: opName(command.op), keys }, 'command');
    };
  }
}
