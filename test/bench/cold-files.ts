import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { EVICT_SCRIPT } from './layouts/evict.ts';
import { type ProcessKeeper, signalGroup } from './process-keeper.ts';

/** Between two times that all files are put out of the page cache. */
const EVERY_SECONDS = 0.2;

/** Why data cannot be kept out of the page cache here; undefined = they can. */
export function coldFilesMissing(): string | undefined {
  const tried = spawnSync('python3', ['-c', 'import ctypes, os; os.posix_fadvise']);
  return tried.status === 0 ? undefined : 'keeping files out of the page cache needs python3 (posix_fadvise)';
}

/**
 * Keeps the files below `directory`, and what process `pid` has mapped of them, out of memory, until the function that
 * it returns is called. Pages of other files are left alone.
 */
export async function keepCold(directory: string, pid: number, keeper: ProcessKeeper): Promise<() => void> {
  const child: ChildProcess = await keeper.start('python3', ['-c', EVICT_SCRIPT, String(pid), directory, String(EVERY_SECONDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])) as [unknown];
  if (!Buffer.isBuffer(said)) throw new Error('the files cannot be put out of the page cache');
  return () => signalGroup(child, 'SIGKILL');
}
