/**
 * Ends what the bench started when the bench itself has ended, however it ended (kill -9 too). One argument: the
 * temporary directory, removed at the end. stdin: `+ID` and `-ID` lines, the process groups that came and went.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const groups = new Set<number>();

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const id = Number(line.slice(1));
    if (line.startsWith('+')) groups.add(id);
    else groups.delete(id);
  })
  .on('close', () => {
    for (const id of groups) {
      try {
        process.kill(-id, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }
    const directory = process.argv[2];
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

// A Ctrl-C is for the bench; this process outlives it by a moment.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
