import { formatTable } from './table.ts';

const MB = 1e6;
const MIB = 2 ** 20;

/** Bytes that a server has given to its files, by what they are for. */
export interface Written {
  /** LevelDB's log. */
  readonly log: number;
  /** Segments, and what the collector of values copied of that. */
  readonly segments: number;
  readonly copied: number;
  /** LevelDB's tables: written out from memory, and merged. LevelDB tells whole MiB per level. */
  readonly tables: number;
}

/** What one kind of load stored, and what was written because of it. */
export interface Storing {
  readonly name: string;
  /** Bytes of the keys and values. */
  readonly stored: number;
  readonly written: Written;
}

export const NOTHING_WRITTEN: Written = { log: 0, segments: 0, copied: 0, tables: 0 };

/** Reads `stats storage`: what was written since the start, if nobody reset the stats. Throws a TypeError when it is not told. */
export function writtenIn(stats: ReadonlyMap<string, string>): Written {
  const read = (name: string): number => {
    const value = Number(stats.get(name) ?? Number.NaN);
    if (Number.isNaN(value)) throw new TypeError(`stats storage has no ${name}`);
    return value;
  };
  return {
    log: read('level_bytes_written'),
    segments: read('value_bytes_written'),
    copied: read('value_gc_bytes_copied'),
    tables: read('compaction_written_mb') * MIB,
  };
}

/** Adds up what was written at different times. */
export function addWritten(a: Written, b: Written): Written {
  return { log: a.log + b.log, segments: a.segments + b.segments, copied: a.copied + b.copied, tables: a.tables + b.tables };
}

/** What was written between two looks. */
export function writtenBetween(before: Written, after: Written): Written {
  return { log: after.log - before.log, segments: after.segments - before.segments, copied: after.copied - before.copied, tables: after.tables - before.tables };
}

/**
 * Bytes written for each byte of key and value stored, one row for each of `what`, in Markdown. What was copied is part of the segments, so the
 * total is of log, segments and tables.
 */
export function writtenTable(what: string, rows: readonly Storing[]): string {
  return formatTable(
    [what, 'MB stored', "LevelDB's log", 'segments', 'of them copied', 'tables', 'total'],
    rows.map(({ name, stored, written: { log, segments, copied, tables } }) => {
      const perByte = [log, segments, copied, tables, log + segments + tables].map((bytes) => (stored > 0 ? (bytes / stored).toFixed(2) : '–'));
      return [name, (stored / MB).toFixed(0), ...perByte];
    }),
  );
}
