import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Forces LevelDB's write-ahead logs to disk. LevelDB itself syncs only the log it writes now: what went
 * to the log before, when it changed logs and has not yet written the table, would be left out. fdatasync
 * through another descriptor covers the file's data whoever wrote it. A log that vanishes meanwhile has
 * become a table, and LevelDB syncs those.
 */
export async function syncLevelLogs(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'));
  await Promise.all(
    logs.map(async (name) => {
      let handle;
      try {
        handle = await open(join(directory, name), 'r');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
        throw error;
      }
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }),
  );
}
