import { addReport, type EvictReport, nothingGivenUp } from './give-up.ts';

/** Gives items up to make room somewhere. */
export interface Evicts {
  /** Bytes that should go now; 0 while there is room. */
  readonly excess: number;
  evict(bytes: number, signal: AbortSignal): Promise<EvictReport>;
}

/** Several limits as one, for the expiry daemon, which only asks for steps. */
export class Evictors implements Evicts {
  readonly #all: readonly Evicts[];

  constructor(all: readonly Evicts[]) {
    this.#all = all;
  }

  get excess(): number {
    return this.#all.reduce((sum, { excess }) => sum + excess, 0);
  }

  /** A share for each that needs room, so that none waits for another. */
  async evict(bytes: number, signal: AbortSignal): Promise<EvictReport> {
    const total = nothingGivenUp();
    for (const each of this.#all) if (each.excess > 0 && !signal.aborted) addReport(total, await each.evict(bytes, signal));
    return total;
  }
}
