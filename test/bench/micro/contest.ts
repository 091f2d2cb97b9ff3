/** One way of doing a contest's work: does all of it once and returns a sum over what it found, so that nothing can be left out. */
export type Pass = () => number;

/** The same requests or replies, worked off in several ways. */
export interface Contest {
  readonly name: string;
  /** Requests or replies of one pass. */
  readonly count: number;
  /** Bytes of each, data blocks not counted. */
  readonly bytes: number;
  /** By the names of those who do it. */
  readonly passes: ReadonlyMap<string, Pass>;
}

/** Contests that share a table. */
export interface ContestGroup {
  readonly title: string;
  /** Who takes part, in the order of the columns; the first is tugela-ts or what a table is about. */
  readonly contestants: readonly string[];
  /** Whom the first is compared with. */
  readonly references: readonly string[];
  /** What is to be shown is also by how much the first takes longer. */
  readonly showsExtra: boolean;
  readonly contests: readonly Contest[];
}

/** Sees that several ways came to the same result. */
export function mustAgree(name: string, results: readonly number[]): void {
  if (results.some((result) => result !== results[0] || Number.isNaN(result))) {
    throw new Error(`${name}: results differ: ${results.join(', ')}`);
  }
}
