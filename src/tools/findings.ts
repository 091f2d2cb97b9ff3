/** What is wrong with something: the first few are kept, all are counted. */
export class Findings {
  readonly shown: string[] = [];
  readonly #limit: number;
  total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(finding: string): void {
    this.total++;
    if (this.shown.length < this.#limit) this.shown.push(finding);
  }
}
