/** How LevelDB is opened and what goes where; the measurements are in docs/storage-format.md. */

/** Values up to this many bytes lie in their LevelDB row, larger ones in the value log. */
export const INLINE_MAX = 256;

/**
 * Values up to this many bytes are copied when they are staged, next to what is written in front of them: then a group's
 * records are written as one piece. Larger ones are written from where they are.
 */
export const COPIED_VALUE_BYTES: number = 8 * 1024;

/** Bytes LevelDB collects in RAM before it writes a table; up to two such buffers exist at once. */
export const WRITE_BUFFER_BYTES: number = 16 * 2 ** 20;

/** The least of them: smaller ones would be in tables, and merged with others, all the time. */
const WRITE_BUFFER_BYTES_MIN: number = 4 * 2 ** 20;

/** The share of `--memory` that they may take: an eighth each. */
const WRITE_BUFFER_SHARE = 0.125;

/** Bytes of a write buffer beside so many bytes of `--memory`. With 8 MiB small items cost 4 % more CPU than with 16. */
export function writeBufferFor(memoryBytes: number): number {
  return Math.min(WRITE_BUFFER_BYTES, Math.max(WRITE_BUFFER_BYTES_MIN, Math.floor(memoryBytes * WRITE_BUFFER_SHARE)));
}

/** Bytes of one table file. */
export const TABLE_FILE_BYTES: number = 4 * 2 ** 20;

/** Bytes of an uncompressed table block: what one lookup reads and decompresses. */
export const BLOCK_BYTES = 4096;

/**
 * Share of `--memory` that LevelDB's block cache gets; the RAM tier has the rest. LevelDB maps the first 1000 tables into memory, and
 * blocks of those that are not compressed go around the cache: it is used beyond 4 GB of rows alone.
 */
export const BLOCK_CACHE_SHARE: number = 1 / 64;

/**
 * LevelDB's own compression stays off: rows are mostly pointers, and uncompressed blocks are read straight
 * from the page cache (11-15 instead of 16-25 us per lookup, for 2 % more disk).
 */
export const COMPRESSION = false;
