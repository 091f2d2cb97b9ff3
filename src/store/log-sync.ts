import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../errors.ts';
import { syncDirectory } from './value-log.ts';

/**
 * Forces LevelDB's write-ahead logs to disk. LevelDB itself syncs only the log it writes now: what went
 * to the log before, when it changed logs and has not yet written the table, would be left out. fdatasync
 * through another descriptor covers the file's data whoever wrote it. Oldest first, one after the other: a
 * newer log must not be on disk without the older. A log that vanishes meanwhile has become a table, and
 * LevelDB syncs those. Last the directory, so that a new log has its name.
 */
export async function syncLevelLogs(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'));
  for (const name of logs.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))) {
    let handle;
    try {
      handle = await open(join(directory, name), 'r');
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') continue;
      throw error;
    }
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
  await syncDirectory(directory);
}
