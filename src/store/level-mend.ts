import { copyFile, link, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { readOwner } from './directory.ts';
import { inspectLevel, type LevelState } from './level-check.ts';
import { accessAdvice, repairAdvice } from './open-advice.ts';
import { syncDirectory } from './value-log.ts';

/** Where in a store's directory files go that are of no use to it, and may be to people. LevelDB's own repair uses it too. */
export const LOST_DIRECTORY = 'lost';

/** What a crash or a power failure left at the end of LevelDB's log, and is not used. */
export interface LogCut {
  readonly file: string;
  /** Where in the file the last whole write ends. */
  readonly offset: number;
  /** Bytes behind it, those of later logs included. */
  readonly bytes: number;
  /** Directory with copies of what was cut off; undefined for a part of a write, which is left out where it is. */
  readonly aside: string | undefined;
}

/**
 * Sees to it that LevelDB opens what is whole, and nothing else. Where a power failure has left writes but not those in
 * front of them, the later ones are set aside: LevelDB would take them, and counters and index would not fit the items
 * any more. Returns what is left out; undefined = nothing.
 *
 * @throws TugelaError TUGELA_STORE_CORRUPT when files are damaged that were whole; nothing is changed then.
 * TUGELA_STORE_LOCKED, TUGELA_STORE_FAILED
 */
export async function prepareLevel(directory: string): Promise<LogCut | undefined> {
  try {
    const state = await inspect(directory);
    switch (state.kind) {
      case 'new':
      case 'whole':
        return undefined;
      case 'torn':
        return { file: state.file, offset: state.offset, bytes: state.bytes, aside: undefined };
      case 'hole':
      case 'damaged':
        return await underLock(directory, async () => await settle(directory, await inspectLevel(directory)));
    }
  } catch (cause) {
    if (cause instanceof TugelaError) throw cause;
    throw new TugelaError('TUGELA_STORE_FAILED', `Cannot open store at ${directory}: ${messageOf(cause)}${accessAdvice(messageOf(cause))}`, { cause });
  }
}

/** Files vanish and grow while somebody else has the database open: what is then found is settled under the lock. */
async function inspect(directory: string): Promise<LevelState> {
  try {
    return await inspectLevel(directory);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return { kind: 'damaged', problem: messageOf(error) };
    throw error;
  }
}

async function settle(directory: string, state: LevelState): Promise<LogCut | undefined> {
  if (state.kind === 'damaged') throw new TugelaError('TUGELA_STORE_CORRUPT', `Cannot open store at ${directory}: ${state.problem}${repairAdvice(directory)}`);
  if (state.kind !== 'hole') return undefined;
  const { file, offset, bytes, later } = state;
  const aside = join(directory, LOST_DIRECTORY);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  // Newest first: broken off in between, it is a hole as before.
  for (const name of later.toReversed()) await rename(join(directory, name), join(aside, name));
  await copyFile(join(directory, file), join(aside, file));
  const log = await open(join(directory, file), 'r+');
  try {
    await log.truncate(offset);
    await log.sync();
  } finally {
    await log.close();
  }
  await syncDirectory(aside);
  await syncDirectory(directory);
  return { file, offset, bytes, aside };
}

/**
 * Runs a step while LevelDB's lock is held, without opening the database: an empty one beside it opens the same lock
 * file under another name.
 */
async function underLock<T>(directory: string, step: () => Promise<T>): Promise<T> {
  const beside = await mkdtemp(join(directory, 'lock-'));
  try {
    const isLockable = await linkLock(directory, beside);
    if (!isLockable) return await step();
    const db = new ClassicLevel(beside);
    try {
      await db.open();
    } catch (error) {
      throw await lockError(directory, error);
    }
    try {
      return await step();
    } finally {
      await db.close();
    }
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** False when there is no lock that anybody could hold. */
async function linkLock(directory: string, beside: string): Promise<boolean> {
  try {
    await link(join(directory, 'LOCK'), join(beside, 'LOCK'));
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function lockError(directory: string, error: unknown): Promise<unknown> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'LEVEL_LOCKED') return error;
  return lockedError(directory, await readOwner(directory), cause);
}

/** The error of a store that another process has open. */
export function lockedError(directory: string, pid: number | undefined, cause: unknown): TugelaError {
  const holder = pid === undefined ? 'another process' : `process ${pid}`;
  return new TugelaError('TUGELA_STORE_LOCKED', `Cannot open store at ${directory}: ${holder} holds it`, { cause });
}
