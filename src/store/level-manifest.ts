import type { LogRecord } from './level-log.ts';

/*
 * LevelDB's list of its files, as a log of changes (level-log.ts):
 *
 *     change := { tag(varint) field }
 *     field  := 1 text | 2 log(varint) | 3 number(varint) | 4 sequence(varint) | 5 level(varint) text
 *             | 6 level(varint) table(varint) | 7 level(varint) table(varint) bytes(varint) text text | 9 log(varint)
 *     text   := length(varint) bytes
 */
const TEXT = 1;
const LOG_NUMBER = 2;
const NEXT_FILE = 3;
const LAST_SEQUENCE = 4;
const COMPACTED_TO = 5;
const DELETED_TABLE = 6;
const NEW_TABLE = 7;
const OLD_LOG_NUMBER = 9;

/** What a manifest says is there. */
export interface LevelFiles {
  /** Bytes of each table, by its number. */
  readonly tables: ReadonlyMap<number, number>;
  /** Number of the first log that is not all in tables; 0 = none so far. */
  readonly firstLog: number;
  /** Number of the newest write that is known to be in tables. */
  readonly lastSequence: number;
}

/** Reads the records of a manifest; undefined when one of them makes no sense. */
export function readManifest(records: readonly LogRecord[]): LevelFiles | undefined {
  const tables = new Map<number, number>();
  let firstLog = 0;
  let lastSequence = 0;
  for (const { data } of records) {
    const fields = new Fields(data);
    while (!fields.isOver) {
      switch (fields.number()) {
        case TEXT:
          fields.skipText();
          break;
        case LOG_NUMBER:
          firstLog = fields.number();
          break;
        case LAST_SEQUENCE:
          lastSequence = fields.number();
          break;
        case NEXT_FILE:
        case OLD_LOG_NUMBER:
          fields.number();
          break;
        case COMPACTED_TO:
          fields.number();
          fields.skipText();
          break;
        case DELETED_TABLE:
          fields.number();
          tables.delete(fields.number());
          break;
        case NEW_TABLE: {
          fields.number();
          const table = fields.number();
          tables.set(table, fields.number());
          fields.skipText();
          fields.skipText();
          break;
        }
        default:
          return undefined;
      }
    }
    if (fields.isShort) return undefined;
  }
  return { tables, firstLog, lastSequence };
}

class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** More was read than there is. */
  get isShort(): boolean {
    return this.#at > this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  skipText(): void {
    const length = this.number();
    this.#at += length;
  }
}
