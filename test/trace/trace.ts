import { readFileSync } from 'node:fs';

/** One command of recorded or made-up traffic. */
export interface TraceCommand {
  /** Milliseconds from the start of the trace. */
  readonly ms: number;
  /** The connection: opened by its first command, closed by `quit`. */
  readonly connection: number;
  readonly word: TraceWord;
  /** Several for a multi-get, none for quit, else one. */
  readonly keys: readonly string[];
  /** Bytes of the value that a store sends. */
  readonly bytes: number;
  readonly flags: number;
  /** As in the protocol; an absolute one belongs to the clock of the trace. */
  readonly exptime: number;
  /** How many of the keys were hits when it was recorded. */
  readonly hits: number;
}

export type TraceWord = 'get' | 'gets' | 'set' | 'add' | 'cas' | 'touch' | 'delete' | 'quit';

export interface Trace {
  readonly name: string;
  /** Unix seconds at `ms` 0. */
  readonly epoch: number;
  /** In the order in which they were answered. */
  readonly commands: readonly TraceCommand[];
}

interface Header {
  readonly classes: readonly string[];
  readonly epoch_at_ms0: number;
}

type Row = readonly [
  ms: number,
  connection: number,
  word: TraceWord,
  keyClass: number,
  hash: string,
  keyLength: number,
  bytes: number | null,
  flags: number | null,
  exptime: number | null,
  result: string,
  keys: number,
];

/**
 * Reads a trace in JSON lines: a header with `classes` and `epoch_at_ms0`, then rows of ms, connection, command, class,
 * hash and length of the key, bytes, flags, exptime, result, and keys in the command; the rows of a multi-get follow
 * each other. Keys are made of class and hash, filled up to the recorded length.
 */
export function readTrace(path: string): Trace {
  const [first = '', ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const header = JSON.parse(first) as Header;
  const commands: TraceCommand[] = [];
  for (let i = 0; i < rows.length; ) {
    const row = JSON.parse(rows[i] ?? '') as Row;
    const [ms, connection, word, , , , bytes, flags, exptime, , count] = row;
    const all = rows.slice(i, i + count).map((text) => JSON.parse(text) as Row);
    i += Math.max(1, all.length);
    commands.push({
      ms,
      connection,
      word,
      keys: word === 'quit' ? [] : all.map((each) => keyOf(header.classes[each[3]] ?? '', each[4], each[5])),
      bytes: bytes ?? 0,
      flags: flags ?? 0,
      exptime: exptime ?? 0,
      hits: all.filter((each) => each[9] === 'hit').length,
    });
  }
  return { name: path, epoch: header.epoch_at_ms0, commands };
}

/** A key of this length that only this class and hash give. */
export function keyOf(keyClass: string, hash: string, length: number): string {
  return `${keyClass}:${hash}`.padEnd(length, '.');
}
