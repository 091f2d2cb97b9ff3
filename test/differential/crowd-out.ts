import { ask } from './play.ts';
import type { ServerProcess } from './server-process.ts';

/** More bytes together than the RAM tier of a server with `-m 1` has. */
const FILLERS = 64;
const FILLER_BYTES = 14_000;
/** What was used often stays through some rounds. */
const ROUNDS = 4;

const keys = Array.from({ length: FILLERS }, (_, i) => `filler${i}`);
const getAll = `get ${keys.join(' ')}\r\n`;
const setAll = keys.map((key) => `set ${key} 0 0 ${FILLER_BYTES} noreply\r\n${'f'.repeat(FILLER_BYTES)}\r\n`).join('');

/** Uses other items until they have pushed everything else out of the RAM tier of a server with `-m 1`. */
export async function crowdOut(server: ServerProcess): Promise<void> {
  for (let i = 0; i < ROUNDS; i++) {
    const shown = await ask(server, getAll);
    // A flush_all of a sequence takes them along.
    if (shown.length < FILLERS * FILLER_BYTES) await ask(server, setAll);
  }
}
