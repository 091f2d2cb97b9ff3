import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endsShort, hasUnwrittenSector, type LogBreak, type LogContents, readLevelLog } from './level-log.ts';
import { type LevelFiles, readManifest } from './level-manifest.ts';
import { segmentNumber } from './value-log.ts';

/** Last bytes of every table. */
const TABLE_MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** Tables looked at side by side. */
const TABLES_AT_ONCE = 16;
/** Bytes in front of the changes of a write in the log: number of the first and count. */
const BATCH_HEAD_BYTES = 12;

/**
 * What is found in LevelDB's files before LevelDB opens them.
 *
 * - `new`: there is no database yet.
 * - `whole`: nothing is wrong.
 * - `torn`: the newest log ends in a part of a write, as a crash leaves it; LevelDB leaves that out.
 * - `hole`: writes are missing in front of others, as a power failure leaves it when the disk wrote what was not
 *   forced to it in an order of its own.
 * - `damaged`: what was whole is not any more.
 */
export type LevelState =
  | { readonly kind: 'new' | 'whole' }
  | { readonly kind: 'torn'; readonly file: string; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'hole'; readonly file: string; readonly offset: number; readonly bytes: number; readonly later: readonly string[] }
  | { readonly kind: 'damaged'; readonly problem: string };

interface NamedLog {
  readonly name: string;
  readonly bytes: Buffer;
  readonly contents: LogContents;
}

/**
 * Looks for what LevelDB would pass over in silence, and then remove: damaged writes in its logs, a log or a file CURRENT
 * that is not there; and for tables that are cut off or overwritten, of which it would tell only who reads from them. Reads
 * CURRENT, the manifest, the logs, and the last bytes of each table. Nothing is changed. While a process has the database
 * open, what is found means nothing.
 */
export async function inspectLevel(directory: string): Promise<LevelState> {
  const names = await readdir(directory);
  if (!names.includes('CURRENT')) return await withoutCurrent(directory, names);
  const current = await readFile(join(directory, 'CURRENT'), 'latin1');
  const manifest = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (manifest === undefined) return damaged("LevelDB's file CURRENT names no manifest");
  if (!names.includes(manifest)) return damaged(`LevelDB's file ${manifest} is not there`);
  const files = await readManifestFile(directory, manifest);
  if (typeof files === 'string') return damaged(files);
  const problem = await checkTables(directory, names, files.tables);
  if (problem !== undefined) return damaged(problem);
  return await checkLogs(directory, names, files);
}

function damaged(problem: string): LevelState {
  return { kind: 'damaged', problem };
}

/** LevelDB would make a new database, and remove the files of the old one. */
async function withoutCurrent(directory: string, names: readonly string[]): Promise<LevelState> {
  // A first start that was broken off leaves the first manifest and nothing else.
  const isOld = names.some((name) => /^\d+\.(ldb|sst|log)$/.test(name) || (/^MANIFEST-\d+$/.test(name) && name !== 'MANIFEST-000001'));
  const hasValues = names.includes('values') && (await readdir(join(directory, 'values'))).some((name) => segmentNumber(name) !== undefined);
  return isOld || hasValues ? damaged("LevelDB's file CURRENT is not there") : { kind: 'new' };
}

async function readManifestFile(directory: string, name: string): Promise<LevelFiles | string> {
  const bytes = await readFile(join(directory, name));
  const { records, breaks } = readLevelLog(bytes);
  for (const { start, end } of breaks) {
    const isTail = end === bytes.length && (endsShort(bytes, start) || bytes.subarray(start, end).every((byte) => byte === 0));
    if (!isTail) return `LevelDB's file ${name} is damaged at offset ${start}`;
  }
  if (records.length === 0) return `LevelDB's file ${name} is empty`;
  return readManifest(records) ?? `LevelDB's file ${name} makes no sense`;
}

async function checkTables(directory: string, names: readonly string[], tables: ReadonlyMap<number, number>): Promise<string | undefined> {
  const present = new Map<number, string>();
  for (const name of names) if (/^\d+\.(ldb|sst)$/.test(name)) present.set(Number.parseInt(name, 10), name);
  const all = [...tables];
  for (let i = 0; i < all.length; i += TABLES_AT_ONCE) {
    const problems = await Promise.all(
      all.slice(i, i + TABLES_AT_ONCE).map(async ([number, bytes]) => {
        const name = present.get(number);
        if (name === undefined) return `LevelDB's table ${String(number).padStart(6, '0')}.ldb is not there`;
        return await checkTable(directory, name, bytes);
      }),
    );
    const problem = problems.find((each) => each !== undefined);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function checkTable(directory: string, name: string, bytes: number): Promise<string | undefined> {
  const file = await open(join(directory, name), 'r');
  try {
    const { size } = await file.stat();
    if (size < bytes) return `LevelDB's table ${name} has ${size} bytes of ${bytes}`;
    if (bytes < TABLE_MAGIC.length) return `LevelDB's table ${name} is said to have ${bytes} bytes`;
    const end = Buffer.alloc(TABLE_MAGIC.length);
    await file.read(end, 0, end.length, bytes - end.length);
    return end.equals(TABLE_MAGIC) ? undefined : `LevelDB's table ${name} does not end as a table does`;
  } finally {
    await file.close();
  }
}

async function checkLogs(directory: string, names: readonly string[], { firstLog, lastSequence }: LevelFiles): Promise<LevelState> {
  const logs: NamedLog[] = [];
  const needed = names.filter((name) => /^\d+\.log$/.test(name) && Number.parseInt(name, 10) >= firstLog);
  for (const name of needed.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))) {
    const bytes = await readFile(join(directory, name));
    logs.push({ name, bytes, contents: readLevelLog(bytes) });
  }
  if (firstLog > 0 && !logs.some(({ name }) => Number.parseInt(name, 10) === firstLog)) {
    return damaged(`LevelDB's log ${String(firstLog).padStart(6, '0')}.log is not there`);
  }
  // Writes are numbered without gaps. What the tables hold may be in a log as well.
  let next: number | undefined;
  let before: { log: NamedLog; end: number } | undefined;
  for (const [i, log] of logs.entries()) {
    for (const { start, end, data } of log.contents.records) {
      if (data.length < BATCH_HEAD_BYTES) return damaged(`LevelDB's log ${log.name} is damaged at offset ${start}`);
      const sequence = Number(data.readBigUInt64LE(0));
      const isNext = next === undefined ? sequence <= lastSequence + 1 : sequence === next;
      if (!isNext) return gapAt(logs, i, before ?? { log, end: 0 }, start);
      next = sequence + data.readUInt32LE(8);
      before = { log, end };
    }
  }
  return tailOf(logs);
}

/** Writes are missing behind `before`, and others are there behind them, in the log `i` from `start` on. */
function gapAt(logs: readonly NamedLog[], i: number, before: { log: NamedLog; end: number }, start: number): LevelState {
  const { log, end: offset } = before;
  const isSame = log === logs[i];
  const end = isSame ? start : log.bytes.length;
  const isUnwritten = hasUnwrittenSector(log.bytes, offset, end) || (!isSame && endsShort(log.bytes, offset));
  if (!isUnwritten) return damaged(`LevelDB's log ${log.name} is damaged at offset ${offset}`);
  const later = logs.slice(logs.indexOf(log) + 1);
  const bytes = later.reduce((sum, each) => sum + each.bytes.length, log.bytes.length - offset);
  return { kind: 'hole', file: log.name, offset, bytes, later: later.map(({ name }) => name) };
}

/** All that was written is there up to some point; behind it there may be a part of a write. */
function tailOf(logs: readonly NamedLog[]): LevelState {
  const torn = logs.map((log) => ({ log, tail: tailBreak(log) })).find(({ tail }) => tail !== undefined);
  if (torn?.tail === undefined) return { kind: 'whole' };
  const { start, end } = torn.tail;
  return { kind: 'torn', file: torn.log.name, offset: start, bytes: end - start };
}

function tailBreak({ bytes, contents }: NamedLog): LogBreak | undefined {
  return contents.breaks.findLast(({ end }) => end === bytes.length);
}
