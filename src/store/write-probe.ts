import { open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const PROBE_FILE = 'PROBE';
/** Bytes written at once. */
const CHUNK_BYTES = 2 ** 20;
/** Bytes written at least: a new log and a new manifest take some. */
const LEAST_BYTES = 64 * 1024;

/**
 * Writes to a store's directory as much as LevelDB will when it is opened, its logs as tables, forces it to disk and removes it:
 * whether that can be done should be known before the database, from which reads are still answered, is closed.
 *
 * @throws the system's error when it cannot be written
 */
export async function probeWriting(directory: string): Promise<void> {
  const path = join(directory, PROBE_FILE);
  let left = Math.max(LEAST_BYTES, await logBytes(directory));
  const chunk = Buffer.alloc(Math.min(left, CHUNK_BYTES));
  const file = await open(path, 'w', 0o600);
  try {
    for (; left > 0; left -= chunk.length) await file.appendFile(chunk);
    await file.datasync();
  } finally {
    await file.close();
    await unlink(path);
  }
}

async function logBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) if (/^\d+\.log$/.test(name)) bytes += (await stat(join(directory, name))).size;
  return bytes;
}
