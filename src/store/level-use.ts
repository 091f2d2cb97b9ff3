import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dueFrom } from './due-row.ts';
import { ITEM, itemKey } from './keys.ts';
import type { Level } from './row-batch.ts';

/** Bytes that parts of LevelDB take on disk, about. */
export interface LevelUse {
  /** Tables: rows of items. */
  readonly items: number;
  /** Tables: rows of the TTL index that were swept, all of them dead. */
  readonly sweptIndex: number;
  /** Logs: what is not in tables yet. */
  readonly logs: number;
}

/** What LevelDB takes on disk. `indexFloor`: index rows with earlier deadlines are swept. */
export async function levelUse(directory: string, db: Level, indexFloor: number): Promise<LevelUse> {
  // In this order: what goes from a log into a table meanwhile is counted twice rather than not at all.
  const logs = await bytesOfFiles(directory, (name) => name.endsWith('.log'));
  const items = await db.approximateSize(itemKey(''), Buffer.from([ITEM + 1]));
  const sweptIndex = await db.approximateSize(dueFrom(0), dueFrom(indexFloor));
  return { items, sweptIndex, logs };
}

/** Bytes of LevelDB's files. */
export function levelDiskBytes(directory: string): Promise<number> {
  return bytesOfFiles(directory, () => true);
}

async function bytesOfFiles(directory: string, counts: (name: string) => boolean): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) {
    if (!counts(name)) continue;
    try {
      const info = await stat(join(directory, name));
      if (info.isFile()) bytes += info.size;
    } catch {
      // A table may be compacted away between the listing and the look.
    }
  }
  return bytes;
}
