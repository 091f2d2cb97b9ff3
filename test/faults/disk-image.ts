import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Files of a directory, with their contents, by path. */
export type DiskImage = ReadonlyMap<string, Buffer>;

/** Reads all files of a store that may be open. Nothing must be written meanwhile; what LevelDB does by itself is waited for. */
export async function readImage(directory: string): Promise<DiskImage> {
  for (;;) {
    const before = listing(directory);
    const image = new Map<string, Buffer>();
    try {
      for (const name of before.keys()) image.set(name, readFileSync(join(directory, name)));
    } catch (error) {
      // A table or a log may be removed by a compaction: then the next round finds what is left.
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
    }
    await new Promise((resolve) => setImmediate(resolve));
    const after = listing(directory);
    const isSame = after.size === before.size && [...after].every(([name, size]) => before.get(name) === size && image.get(name)?.length === size);
    if (isSame) return image;
  }
}

export function writeImage(image: DiskImage, directory: string): void {
  for (const [name, bytes] of image) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
}

/** Bytes of each file. LevelDB's notes and locks say nothing. */
function listing(directory: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (/^(LOG|LOG\.old|LOCK|OWNER)$/.test(name)) continue;
    const info = statSync(join(directory, name), { throwIfNoEntry: false });
    if (info?.isFile() === true) sizes.set(name, info.size);
  }
  return sizes;
}
