/** Broken promises, as text: the first are kept, all are counted. */
export class Faults {
  static readonly #KEPT = 20;
  readonly kept: string[] = [];
  /** What goes in front of each. */
  when = '';
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(fault: string): void {
    this.#total++;
    if (this.kept.length < Faults.#KEPT) this.kept.push(`${this.when}: ${fault}`);
  }
}
