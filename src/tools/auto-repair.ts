import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { LOST_DIRECTORY } from '../store/level-mend.ts';
import { syncDirectory } from '../store/value-log.ts';
import { Findings } from './findings.ts';
import { repairInPlace } from './repair-in-place.ts';

/** Lines in the log about what is lost; all is counted. */
const FINDINGS_LOGGED = 20;
/** Files that say nothing about what happened. */
const LEFT_OUT = new Set(['LOCK', 'OWNER']);
/** What a file system answers that has no second names for files. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Mends a damaged store where it is, before it is served, and says in the log what that cost. All files of the damaged store are
 * kept in a directory of their own in `lost/`, as second names of the same files where the file system has these, so that they
 * take no space until the store removes its own.
 *
 * @throws TugelaError when it cannot be mended either
 */
export async function autoRepair(directory: string, damage: TugelaError, { logger, now }: { logger: Logger; now: Date }): Promise<void> {
  logger.error({ err: damage }, 'the store is damaged, repairing it (--auto-repair)');
  const lost = new Findings(FINDINGS_LOGGED);
  try {
    const aside = await keepAside(directory, now);
    const report = await repairInPlace(directory, lost);
    for (const finding of lost.shown) logger.warn({ finding }, 'lost');
    logger.warn({ ...report, aside }, 'the store is repaired; remove the directory aside when it is of no more use');
  } catch (cause) {
    throw new TugelaError('TUGELA_STORE_CORRUPT', `${damage.message}; --auto-repair could not mend it: ${messageOf(cause)}`, { cause });
  }
}

async function keepAside(directory: string, now: Date): Promise<string> {
  const aside = join(directory, LOST_DIRECTORY, now.toISOString().replaceAll(':', '-'));
  await mkdir(join(aside, 'values'), { recursive: true, mode: 0o700 });
  for (const part of ['.', 'values']) {
    for (const name of await filesIn(join(directory, part))) await keep(join(directory, part, name), join(aside, part, name));
    await syncDirectory(join(aside, part));
  }
  return aside;
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isFile() && !LEFT_OUT.has(entry.name)).map(({ name }) => name);
  } catch (error) {
    // Without value segments there is nothing to keep of them.
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function keep(path: string, copy: string): Promise<void> {
  try {
    await link(path, copy);
  } catch (error) {
    if (!NO_LINKS.has(systemCodeOf(error) ?? '')) throw error;
    await copyFile(path, copy);
  }
}
