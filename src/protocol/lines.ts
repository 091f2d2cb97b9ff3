/**
 * The texts of refused command lines, without CRLF (protocol.txt, "Error strings"). The parser puts one of them in
 * the `refusal` of a command, or '' where the client asked for no reply.
 */
export const Refusal = {
  error: 'ERROR',
  badLineFormat: 'CLIENT_ERROR bad command line format',
  badExptime: 'CLIENT_ERROR invalid exptime argument',
  badDelta: 'CLIENT_ERROR invalid numeric delta argument',
  // Two blanks after the period, as memcached wrote it when it still refused these.
  deleteUsage: 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]',
} as const;

/** Every fixed reply, with its CRLF. Shared by all connections: never write to them. */
export const lines = {
  crlf: encodeLine(''),

  stored: encodeLine('STORED'),
  notStored: encodeLine('NOT_STORED'),
  exists: encodeLine('EXISTS'),
  notFound: encodeLine('NOT_FOUND'),
  deleted: encodeLine('DELETED'),
  touched: encodeLine('TOUCHED'),
  ok: encodeLine('OK'),
  end: encodeLine('END'),
  mn: encodeLine('MN'),
  reset: encodeLine('RESET'),

  error: encodeLine(Refusal.error),
  tooManyConnections: encodeLine('ERROR Too many open connections'),

  badLineFormat: encodeLine(Refusal.badLineFormat),
  badDataChunk: encodeLine('CLIENT_ERROR bad data chunk'),
  badExptime: encodeLine(Refusal.badExptime),
  badDelta: encodeLine(Refusal.badDelta),
  deleteUsage: encodeLine(Refusal.deleteUsage),
  nonNumericValue: encodeLine('CLIENT_ERROR cannot increment or decrement non-numeric value'),
  flushNotAllowed: encodeLine('CLIENT_ERROR flush_all not allowed'),

  tooLarge: encodeLine('SERVER_ERROR object too large for cache'),
  outOfMemoryStoring: encodeLine('SERVER_ERROR out of memory storing object'),
  outOfMemory: encodeLine('SERVER_ERROR out of memory'),
  outOfMemoryWriting: encodeLine('SERVER_ERROR out of memory writing get response'),
  outOfMemoryReading: encodeLine('SERVER_ERROR out of memory reading request'),

  /** Not memcached's: the disk failed. Clients take any SERVER_ERROR as a failed command. */
  readFailed: encodeLine('SERVER_ERROR cannot read from disk'),
  writeFailed: encodeLine('SERVER_ERROR cannot write to disk'),
} as const;

function encodeLine(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1');
}
