/**
 * Why a request to the server was not answered as asked.
 *
 * - `unreachable`: no connection within the time allowed.
 * - `connection_lost`: the connection ended before the reply did; what was asked may have happened.
 * - `timeout`: the reply did not come in time; the connection was given up.
 * - `bad_reply`: the peer sent something else than the protocol says, or more than is allowed.
 * - `refused`: control commands are not accepted on this connection, or we are not let in.
 * - `unsupported`: the peer does not know the command.
 * - `client_error`, `server_error`: the peer's own words are in the message.
 * - `aborted`: the caller gave up.
 */
export type LinkErrorCode =
  | 'unreachable'
  | 'connection_lost'
  | 'timeout'
  | 'bad_reply'
  | 'refused'
  | 'unsupported'
  | 'client_error'
  | 'server_error'
  | 'aborted';

/** A failed request to, or a failed connection with, the server. Codes are stable, messages may change. */
export class LinkError extends Error {
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'LinkError';
    this.code = code;
  }
}

/** Says whether asking again, perhaps over a new connection, has a chance without anybody's help. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof LinkError &&
    (error.code === 'connection_lost' || error.code === 'timeout' || error.code === 'server_error')
  );
}

/** The text of anything that was thrown, for messages. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    // What node:net throws when a name has several addresses and none answers: the text is in the parts.
    return error.errors.map((part) => reasonOf(part)).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
