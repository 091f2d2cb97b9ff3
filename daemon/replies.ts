import { decodeUriKey } from '../src/protocol/uri-key.ts';
import { shorten } from './line-client.ts';
import { LinkError } from './link-error.ts';
import type { CompactReport, DueList, DueRow, IndexState, ItemList, ListedItem, ReapReport } from './target.ts';

/*
 * The replies of the server's control commands (docs/protocol.md), as lines without their ends:
 *
 *   expire state          STAT <name> <value> …               END
 *   expire due            ROW <id> <deadline> <entries> …     END <seen> <next|->
 *   expire keys           KEY <key> …                         END
 *   expire list           ITEM <key> <cas> <expiresAt> <storedAt> <length> …  END <next|->
 *   expire compact        COMPACTED <ranges> <bytes>
 *   expire reap, remove   REAPED <scanned> <deleted> <bytes> <stale> <changed>
 *
 * Keys are URI-encoded. Anything else is a `bad_reply`: better to stop than to delete on a guess.
 */

/** Says whether a line ends a list. */
export function isEnd(line: string): boolean {
  return line === 'END' || line.startsWith('END ');
}

/** Says that the first line is the whole reply. */
export function isSingle(): boolean {
  return true;
}

/** Reads `STAT name value` lines; a value may contain blanks. */
export function parseStats(lines: readonly string[]): Map<string, string> {
  const stats = new Map<string, string>();
  for (const line of lines) {
    if (isEnd(line)) continue;
    const [word, name] = line.split(' ', 2);
    if (word !== 'STAT' || name === undefined || name === '') throw unexpected(line);
    stats.set(name, line.slice(6 + name.length));
  }
  return stats;
}

export function parseState(lines: readonly string[]): IndexState {
  const stats = parseStats(lines);
  const read = (name: string): number => {
    const value = Number(stats.get(name) ?? Number.NaN);
    if (!Number.isFinite(value) || value < 0) throw new LinkError('bad_reply', `No usable ${name} in the state reply`);
    return value;
  };
  // A server of an older version does not say.
  const readIfTold = (name: string): number => (stats.has(name) ? read(name) : 0);
  return {
    entries: read('entries'),
    oldestDeadline: read('oldest_deadline'),
    now: read('now'),
    busyMs: read('busy_ms'),
    evictBytes: readIfTold('evict_bytes'),
    liveBytes: readIfTold('live_bytes'),
    deadBytes: readIfTold('dead_bytes'),
    diskBytes: readIfTold('disk_bytes'),
    compactBytes: readIfTold('compact_bytes'),
    valueBytesGivenBack: readIfTold('value_gc_bytes_given_back'),
  };
}

export function parseDue(lines: readonly string[]): DueList {
  const rows: DueRow[] = [];
  for (const line of lines) {
    const words = line.split(' ');
    if (words[0] === 'ROW' && words.length === 4) {
      rows.push({ id: rowId(words[1], line), deadline: count(words[2], line), entries: count(words[3], line) });
    } else if (words[0] === 'END' && words.length === 3) {
      return { rows, seen: casUnique(words[1], line), next: cursor(words[2], line) };
    } else {
      throw unexpected(line);
    }
  }
  throw unexpected('');
}

export function parseKeys(lines: readonly string[]): Buffer[] {
  return lines.filter((line) => !isEnd(line)).map((line) => {
    if (!line.startsWith('KEY ')) throw unexpected(line);
    return key(line.slice(4), line);
  });
}

export function parseItems(lines: readonly string[]): ItemList {
  const items: ListedItem[] = [];
  for (const line of lines) {
    const words = line.split(' ');
    if (words[0] === 'ITEM' && words.length === 6) {
      items.push({
        key: key(words[1], line),
        cas: casUnique(words[2], line),
        expiresAt: count(words[3], line),
        storedAt: count(words[4], line),
        length: count(words[5], line),
      });
    } else if (words[0] === 'END' && words.length === 2) {
      return { items, next: cursor(words[1], line) };
    } else {
      throw unexpected(line);
    }
  }
  throw unexpected('');
}

export function parseReaped(lines: readonly string[]): ReapReport {
  const line = lines[0] ?? '';
  const words = line.split(' ');
  if (words[0] !== 'REAPED' || words.length !== 6) throw unexpected(line);
  return {
    scanned: count(words[1], line),
    deleted: count(words[2], line),
    bytes: count(words[3], line),
    stale: count(words[4], line),
    changed: count(words[5], line),
  };
}

export function parseCompacted(lines: readonly string[]): CompactReport {
  const line = lines[0] ?? '';
  const words = line.split(' ');
  if (words[0] !== 'COMPACTED' || words.length !== 3) throw unexpected(line);
  return { runs: count(words[1], line), bytes: count(words[2], line) };
}

function unexpected(line: string): LinkError {
  return new LinkError('bad_reply', `Unexpected reply from the server: ${shorten(line)}`);
}

function count(word: string | undefined, line: string): number {
  if (word === undefined || !/^\d{1,15}$/.test(word)) throw unexpected(line);
  return Number(word);
}

/** A cas unique stays a string: it has 64 bits and is only handed back. */
function casUnique(word: string | undefined, line: string): string {
  if (word === undefined || !/^\d{1,20}$/.test(word)) throw unexpected(line);
  return word;
}

function rowId(word: string | undefined, line: string): string {
  if (word === undefined || !/^[A-Za-z0-9-]{1,250}$/.test(word)) throw unexpected(line);
  return word;
}

function cursor(word: string | undefined, line: string): string | undefined {
  if (word === undefined || word === '') throw unexpected(line);
  return word === '-' ? undefined : word;
}

function key(word: string | undefined, line: string): Buffer {
  const decoded = word === undefined || word === '' ? undefined : decodeUriKey(word);
  if (decoded === undefined) throw unexpected(line);
  return decoded;
}
