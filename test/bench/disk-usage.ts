import { closeSync, type Dirent, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { processIo } from './process-io.ts';

/** Bytes of a block of `st_blocks` (stat(2)). */
const BLOCK_BYTES = 512;
const PROBE_BYTES = 2 ** 16;

/** Bytes that a directory's files take on disk, with all below it. */
export function diskBytes(directory: string): number {
  let bytes = 0;
  for (const entry of entriesOf(directory)) {
    const path = join(directory, entry.name);
    bytes += entry.isDirectory() ? diskBytes(path) : allocatedBytes(path);
  }
  return bytes;
}

/** How the bytes that servers write below a directory can be counted. */
export type WriteCounter = 'write_bytes' | 'wchar' | 'none';

/** Tries whether the kernel counts what is written there: for a file system in memory it does not. */
export function chooseWriteCounter(directory: string): WriteCounter {
  const before = processIo('self');
  if (before === undefined) return 'none';
  const path = join(directory, 'write-probe');
  const file = openSync(path, 'w');
  writeSync(file, Buffer.alloc(PROBE_BYTES, 1));
  closeSync(file);
  const after = processIo('self');
  rmSync(path);
  return after !== undefined && after.writeBytes - before.writeBytes >= PROBE_BYTES ? 'write_bytes' : 'wchar';
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // Removed between the listing and the look, as below.
  }
}

function allocatedBytes(path: string): number {
  try {
    return statSync(path).blocks * BLOCK_BYTES;
  } catch {
    return 0;
  }
}
