import type { Address } from '../../daemon/address.ts';
import { UNAUTHENTICATED } from '../../daemon/open-socket.ts';
import { TugelaError } from '../errors.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import { DUMP_NAME } from './dump-format.ts';
import { DumpReader } from './dump-reader.ts';
import type { Progress } from './progress.ts';
import { ServerLink } from './server-link.ts';

/**
 * The bytes of a dump that a running server makes of itself. They are checked on their way, and end with the
 * dump's last line or with an error.
 */
export async function* dumpServer(address: Address, prefix: string, reader: DumpReader, progress?: Progress): AsyncGenerator<Buffer, void, undefined> {
  const link = await ServerLink.connect(address);
  try {
    await link.send([Buffer.from(prefix === '' ? 'expire dump\r\n' : `expire dump ${encodeUriText(prefix)}\r\n`)]);
    let start: Buffer | undefined = Buffer.alloc(0);
    while (!reader.isComplete) {
      const piece = await link.piece();
      if (piece === undefined) break;
      if (start !== undefined) {
        start = Buffer.concat([start, piece]);
        if (start.length < DUMP_NAME.length && !start.includes('\n')) continue;
        assertDump(start);
      }
      const bytes: Buffer = start ?? piece;
      start = undefined;
      reader.push(bytes);
      progress?.show(reader.items, reader.bytes);
      yield bytes;
    }
    reader.finish();
  } finally {
    progress?.end();
    link.close();
  }
}

/** Anything else is the server's refusal, in one line. */
function assertDump(start: Buffer): void {
  const text = start.toString('latin1', 0, Math.min(start.length, 200));
  if (text.startsWith(DUMP_NAME)) return;
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  throw new TugelaError('TUGELA_REFUSED', `The server refuses to be dumped: ${line}${hintFor(line)}`);
}

function hintFor(line: string): string {
  if (line.includes('control commands')) return '; connect from its own host (loopback or unix socket), or start it with --control any';
  if (line === UNAUTHENTICATED) return '; give the password with --password-file';
  return line === 'ERROR' || line.includes('usage') ? '; is it a tugela-ts that knows "expire dump"?' : '';
}
