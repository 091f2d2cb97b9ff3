import type { Faults } from './faults.ts';
import { ConnectionLost, PipeClient } from './pipe-client.ts';

/** Figures that count over restarts, by the group of stats that shows them. */
const LASTING = { '': ['total_items'], expire: ['items_expired_total', 'bytes_reclaimed_total'], storage: ['flushed_cas', 'evicted_total'] } as const;
const PAUSE_MS = 50;

/** Watches the counts that a restart must not set back. */
export class LastingCounts {
  readonly #faults: Faults;
  /** As they were when all that they count was committed. */
  #least = new Map<string, number>();

  readonly #mayLose: boolean;

  constructor(faults: Faults, { mayLose }: { readonly mayLose: boolean }) {
    this.#faults = faults;
    this.#mayLose = mayLose;
  }

  /** Looks at them until the connection breaks, or `isOver`. */
  async watch(port: number, isOver: () => boolean): Promise<void> {
    let client: PipeClient | undefined;
    try {
      client = await PipeClient.connect(port);
      while (!isOver()) {
        const seen = await readCounts(client);
        // They count what is staged as well: that is on its way until something later is acknowledged.
        const { line } = await client.ask(this.#mayLose ? 'sync' : 'ms watched 1\r\nx');
        if (line === 'OK' || line === 'HD') this.#takeIn(seen);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    } finally {
      client?.close();
    }
  }

  /** Compares them after a restart. */
  async check(client: PipeClient): Promise<void> {
    this.#takeIn(await readCounts(client));
  }

  #takeIn(seen: Map<string, number>): void {
    for (const [name, count] of seen) {
      const least = this.#least.get(name) ?? 0;
      if (!(count >= least)) this.#faults.add(`${name} went back from ${least} to ${count}`);
      this.#least.set(name, count);
    }
  }
}

async function readCounts(client: PipeClient): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const [group, names] of Object.entries(LASTING)) {
    const stats = await client.stats(group);
    for (const name of names) if (stats.has(name)) counts.set(name, stats.get(name) ?? Number.NaN);
  }
  return counts;
}
