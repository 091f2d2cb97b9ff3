import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessKeeper } from './process-keeper.ts';

const SIGNAL_STATUS = 128;
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** What a run has to itself. */
export interface Kept {
  /** Temporary, and removed in the end. */
  readonly directory: string;
  readonly keeper: ProcessKeeper;
  /** Called after all processes have ended, however the run ends; undefined = nothing more to do. */
  clean?: () => void;
}

/** Runs something that starts processes, below `parent`. They and the directory go when it is done, fails, or a signal ends us. */
export async function runKept<T>(parent: string, prefix: string, run: (kept: Kept) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(parent, prefix));
  const keeper = new ProcessKeeper(directory);
  const kept: Kept = { directory, keeper };
  const endAll = (): void => {
    keeper.endAll();
    kept.clean?.();
  };
  for (const [signal, number] of Object.entries(signals)) {
    process.once(signal, () => {
      endAll();
      process.exit(SIGNAL_STATUS + number);
    });
  }
  try {
    return await run(kept);
  } finally {
    endAll();
  }
}
