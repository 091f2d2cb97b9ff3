import { type ServerProcess, Workspace } from '../support/process.ts';
import { PipeClient } from '../crash/pipe-client.ts';
import { Random } from '../crash/random.ts';
import type { Say } from './crash-rounds.ts';
import { percentile } from './statistics.ts';

const VALUE = 'v'.repeat(100);
const BATCH = 1000;
/** Sets right before a kill, so that LevelDB has a log to read. */
const LATE_SETS = 50_000;
const REPEATS = 5;
/** Milliseconds by which a start may take longer than on an empty store: to read some millions of items takes more, a machine that is busy less. */
const MOST_MORE_MS = 5000;
const ARGS = ['-m', '64', '--log-level', 'warn'];

/** Measures the time from the start of a process to its first hit, on a store of so many items. Gives back what was wrong. */
export async function measureStarts(items: number, say: Say): Promise<readonly string[]> {
  const workspace = new Workspace();
  const random = new Random(items);
  const faults: string[] = [];
  try {
    const began = performance.now();
    let server = await workspace.serve({ args: ARGS });
    const emptyMs = Math.round(performance.now() - began);
    await fill(server, 0, items);
    const filledMs = performance.now() - began;
    for (const end of ['SIGTERM', 'SIGKILL'] as const) {
      const startsMs: number[] = [];
      for (let i = 0; i < REPEATS; i++) {
        if (end === 'SIGKILL') await fill(server, 0, Math.min(items, LATE_SETS));
        if (end === 'SIGKILL') await server.kill();
        else await server.stop();
        const startedMs = performance.now();
        server = await workspace.serve({ args: ARGS });
        const client = await PipeClient.connect(server.port);
        const { value } = await client.ask(`mg ${keyOf(random.below(items))} v`);
        startsMs.push(Math.round(performance.now() - startedMs));
        client.close();
        if (value?.toString('latin1') !== VALUE) faults.push(`an item of ${items} is not there after ${end}`);
      }
      const medianMs = percentile(startsMs, 0.5);
      if (medianMs > emptyMs + MOST_MORE_MS) faults.push(`the start with ${items} items after ${end} takes ${medianMs} ms, an empty store ${emptyMs}`);
      say(`${items} items of 100 bytes: first hit ${medianMs} ms after the start that follows ${end} (median of ${REPEATS}, longest ${percentile(startsMs, 1)})`);
    }
    say(`an empty store listens after ${emptyMs} ms; ${items} items were stored at ${Math.round((items / filledMs) * 1000)} a second`);
    await server.stop();
  } finally {
    await workspace.close();
  }
  return faults;
}

function keyOf(number: number): string {
  return `item:${String(number).padStart(9, '0')}`;
}

async function fill(server: ServerProcess, from: number, to: number): Promise<void> {
  const client = await PipeClient.connect(server.port);
  let before = Promise.resolve<unknown>(undefined);
  for (let i = from; i < to; i += BATCH) {
    const sets: string[] = [];
    for (let j = i; j < Math.min(to, i + BATCH); j++) sets.push(`set ${keyOf(j)} 0 0 ${VALUE.length} noreply\r\n${VALUE}\r\n`);
    const done = client.ask(`${sets.join('')}mn`);
    // Two batches are under way at a time.
    await before;
    before = done;
  }
  await before;
  client.close();
}
