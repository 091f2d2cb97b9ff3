import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { syncLevelLogs } from '../../src/store/log-sync.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const steps: string[] = vi.hoisted(() => []);

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    open: async (path: string, flags: string) => {
      const handle = await real.open(path, flags);
      steps.push(`open ${basename(path)}`);
      const datasync = handle.datasync.bind(handle);
      const close = handle.close.bind(handle);
      handle.datasync = async () => {
        await datasync();
        steps.push(`synced ${basename(path)}`);
      };
      handle.close = async () => {
        steps.push(`close ${basename(path)}`);
        await close();
      };
      return handle;
    },
  };
});

// All at once, and not the directory: a power failure could leave the newer of two logs without the older.
it('logs are forced to disk oldest first, one after the other, and then their directory', async () => {
  const directory = tempDirectory();
  for (const name of ['1000000.log', '000009.log', '999999.log', '000010.log', '000008.ldb', 'LOG']) writeFileSync(join(directory, name), 'x');
  await syncLevelLogs(directory);
  const logs = ['000009.log', '000010.log', '999999.log', '1000000.log'].flatMap((name) => [`open ${name}`, `synced ${name}`, `close ${name}`]);
  // The directory is synced through its descriptor.
  expect(steps).toEqual([...logs, `open ${basename(directory)}`, `close ${basename(directory)}`]);
});
