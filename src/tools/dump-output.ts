import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import { syncDirectory } from '../store/value-log.ts';

/** A fast level: higher ones take several times as long for a few percent. */
const GZIP_LEVEL = 3;

/** Where a dump goes. */
export interface OutputChoice {
  /** Undefined = stdout. */
  readonly path: string | undefined;
  readonly gzip: boolean;
}

/**
 * Writes a dump as fast as it is taken. A file appears under its name when all of it is on disk, so that a run that
 * is broken off leaves an earlier file of that name as it was.
 *
 * @throws what the source throws; TugelaError TUGELA_STORE_FAILED when it cannot be written
 */
export async function writeOutput(chunks: AsyncIterable<Buffer>, { path, gzip }: OutputChoice, stdout: Writable = process.stdout): Promise<void> {
  const failed: { source: unknown } = { source: undefined };
  const source = Readable.from(watched(chunks, failed), { objectMode: true, highWaterMark: 2 });
  const streams = gzip ? [source, createGzip({ level: GZIP_LEVEL })] : [source];
  try {
    if (path === undefined) await pipeline([...streams, stdout], { end: false });
    else await writeFile(streams, path);
  } catch (error) {
    if (failed.source !== undefined) throw failed.source;
    throw new TugelaError('TUGELA_STORE_FAILED', `Cannot write dump to ${path ?? 'stdout'}: ${messageOf(error)}`, { cause: error });
  }
}

/** Where a dump is written until it is complete. Of this process: two that dump to one name must not write to one file. */
export function partialOf(path: string): string {
  return `${path}.${process.pid}.partial`;
}

async function writeFile(streams: (NodeJS.ReadableStream | NodeJS.ReadWriteStream)[], path: string): Promise<void> {
  if (await isSpecial(path)) {
    await pipeline([...streams, createWriteStream(path)]);
    return;
  }
  const partial = partialOf(path);
  try {
    await pipeline([...streams, createWriteStream(partial, { mode: 0o600, flush: true })]);
    await rename(partial, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** True for a pipe or a device, which must not be replaced by a file. */
async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Tells failures of the source from those of the output. */
async function* watched(chunks: AsyncIterable<Buffer>, failed: { source: unknown }): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    failed.source = error;
    throw error;
  }
}
