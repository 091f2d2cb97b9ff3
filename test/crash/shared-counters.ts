import type { Faults } from './faults.ts';
import type { PipeClient } from './pipe-client.ts';
import type { Random } from './random.ts';

interface Counter {
  readonly key: string;
  /** The highest number that an increment was answered with. */
  highest: number;
  underWay: number;
  /** It may have been flushed or evicted, and begun anew. */
  isLoose: boolean;
}

/** Counters that all connections count up by one: none may go backwards, nor further than it was asked to. */
export class SharedCounters {
  readonly #counters: Counter[];
  readonly #faults: Faults;
  readonly #mayLose: boolean;
  readonly #evicts: boolean;

  constructor(keys: readonly string[], faults: Faults, { mayLose, evicts }: { readonly mayLose: boolean; readonly evicts: boolean }) {
    this.#counters = keys.map((key) => ({ key, highest: 0, underWay: 0, isLoose: false }));
    this.#faults = faults;
    this.#mayLose = mayLose;
    this.#evicts = evicts;
  }

  /** Counts one up. Rejects with ConnectionLost. */
  async count(client: PipeClient, random: Random): Promise<void> {
    const counter = random.pick(this.#counters);
    counter.underWay++;
    // One that is gone begins where it was.
    const { line, value } = await client.ask(`ma ${counter.key} N0 J${counter.highest + 1} D1 v`);
    counter.underWay--;
    const count = Number(value?.toString('latin1'));
    if (line.startsWith('SERVER_ERROR out of memory') && this.#evicts) return;
    if (!(count > 0)) this.#faults.add(`${counter.key} is counted up with ${line}`);
    else counter.highest = Math.max(counter.highest, count);
  }

  flushed(): void {
    for (const counter of this.#counters) counter.isLoose = true;
  }

  /** Compares all of them. REQUIRES: nobody counts. */
  async check(client: PipeClient): Promise<void> {
    for (const counter of this.#counters) {
      const { value } = await client.ask(`mg ${counter.key} v`);
      const count = Number(value?.toString('latin1') ?? 0);
      const least = this.#mayLose || this.#evicts || counter.isLoose ? 0 : counter.highest;
      const most = counter.highest + counter.underWay;
      if (!(count >= least && count <= most)) this.#faults.add(`${counter.key} is ${count}, must be from ${least} to ${most}`);
      counter.highest = Math.max(count, this.#mayLose ? 0 : counter.highest);
      counter.underWay = 0;
      counter.isLoose = count === 0;
    }
  }
}
