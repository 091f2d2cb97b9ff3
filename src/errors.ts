/**
 * What went wrong, in a word that stays the same from release to release; messages may change.
 *
 * - `TUGELA_USAGE`: an option, an environment variable or the configuration file is wrong.
 * - `TUGELA_LISTEN`: a TCP port or unix socket cannot be listened on.
 * - `TUGELA_PIDFILE`: the pidfile belongs to a running process, is something else, or cannot be written.
 * - `TUGELA_USER`: the user to run as is unknown, or privileges cannot be dropped.
 * - `TUGELA_STORE_LOCKED`: another process holds the store's directory.
 * - `TUGELA_STORE_FORMAT`: the store was written by a newer format.
 * - `TUGELA_STORE_FOREIGN`: the directory holds something that is not our store.
 * - `TUGELA_STORE_CORRUPT`: what is on disk contradicts itself.
 * - `TUGELA_STORE_FAILED`: reading or writing the store failed (disk full, no permission, I/O error).
 * - `TUGELA_CONNECT`: the server cannot be reached.
 * - `TUGELA_REFUSED`: the server refuses the command.
 * - `TUGELA_PROTOCOL`: the other side sent something that is not the protocol.
 */
export type ErrorCode =
  | 'TUGELA_USAGE'
  | 'TUGELA_LISTEN'
  | 'TUGELA_PIDFILE'
  | 'TUGELA_USER'
  | 'TUGELA_STORE_LOCKED'
  | 'TUGELA_STORE_FORMAT'
  | 'TUGELA_STORE_FOREIGN'
  | 'TUGELA_STORE_CORRUPT'
  | 'TUGELA_STORE_FAILED'
  | 'TUGELA_CONNECT'
  | 'TUGELA_REFUSED'
  | 'TUGELA_PROTOCOL';

/**
 * A broken world: something outside the program that it cannot mend by itself.
 * The message says the action, then the state: "Cannot open store at ./data: held by process 812".
 */
export class TugelaError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TugelaError';
    this.code = code;
  }
}

/** The message of whatever was thrown, for one line of a larger message. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The system's name for an error (`ENOENT`, `EACCES`), or undefined when it has none. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
