import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, systemCodeOf, TugelaError } from '../errors.ts';
import type { DumpItem } from './dump-format.ts';
import { DumpReader } from './dump-reader.ts';

const READ_BYTES = 256 * 1024;

/** The bytes of a dump, from a file or from stdin; what gzip packed is unpacked. */
export async function* openInput(path: string | undefined, stdin: Readable = process.stdin): AsyncGenerator<Buffer, void, undefined> {
  const source = path === undefined ? stdin : createReadStream(path, { highWaterMark: READ_BYTES });
  try {
    const pieces = source.iterator() as AsyncIterableIterator<Buffer>;
    let start: Buffer = Buffer.alloc(0);
    while (start.length < 2) {
      const { value, done } = await pieces.next();
      if (done === true) break;
      start = Buffer.concat([start, value]);
    }
    const whole = prepend(start, pieces);
    if (start[0] === 0x1f && start[1] === 0x8b) yield* unpack(whole);
    else yield* whole;
  } catch (error) {
    throw inputError(error, path);
  }
}

/** The items of a dump, some at a time. The reader counts. */
export async function* readDump(input: AsyncIterable<Buffer>, reader: DumpReader = new DumpReader()): AsyncGenerator<readonly DumpItem[], void, undefined> {
  for await (const piece of input) {
    const items = reader.push(piece);
    if (items.length > 0) yield items;
  }
  reader.finish();
}

async function* prepend(start: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (start.length > 0) yield start;
  yield* rest;
}

async function* unpack(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const source = Readable.from(packed);
  const gunzip = createGunzip({ chunkSize: READ_BYTES });
  source.on('error', (error) => gunzip.destroy(error));
  yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
}

function inputError(error: unknown, path: string | undefined): unknown {
  if (error instanceof TugelaError) return error;
  const code = systemCodeOf(error);
  const where = path ?? 'stdin';
  if (code === 'Z_BUF_ERROR') return new TugelaError('TUGELA_STORE_CORRUPT', `Cannot read dump from ${where}: the gzip data is truncated`, { cause: error });
  if (code?.startsWith('Z_') === true) return new TugelaError('TUGELA_STORE_CORRUPT', `Cannot read dump from ${where}: the gzip data is damaged: ${messageOf(error)}`, { cause: error });
  return new TugelaError('TUGELA_STORE_FAILED', `Cannot read dump from ${where}: ${messageOf(error)}`, { cause: error });
}
