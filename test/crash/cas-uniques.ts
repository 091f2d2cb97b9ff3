import type { Faults } from './faults.ts';

/** All cas uniques that a server has shown: none may stand for two values, nor come again after a restart. */
export class CasUniques {
  readonly #faults: Faults;
  readonly #owners = new Map<number, string>();
  #highest = 0;
  /** The highest of all runs of the server before this one. */
  #highestBefore = 0;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  /** Takes note of a cas unique. `value` tells apart the values of all keys. */
  saw(unique: number, value: string, isOfThisRun: boolean): void {
    const owner = this.#owners.get(unique);
    if (owner !== undefined && owner !== value) this.#faults.add(`cas unique ${unique} stands for ${owner} and for ${value}`);
    if (isOfThisRun && unique <= this.#highestBefore) this.#faults.add(`cas unique ${unique} of ${value} is not above ${this.#highestBefore}, shown before the restart`);
    this.#owners.set(unique, value);
    this.#highest = Math.max(this.#highest, unique);
  }

  /** The server is a new process. What was shown is remembered by its highest; items know their own. */
  serverStarted(): void {
    this.#highestBefore = this.#highest;
    this.#owners.clear();
  }
}
