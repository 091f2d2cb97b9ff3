/** A subtest that failed. */
export interface FailedSubtest {
  readonly number: number;
  readonly title: string;
}

const PLAN = /^1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?/i;
// Test::More writes a # inside a title as \#, so what follows a bare one is a directive.
const SUBTEST = /^(not )?ok\b\s*(\d+)?\s*(?:- )?(.*?)(?:\s*(?<!\\)#\s*(todo|skip)\b.*)?$/i;
const BAIL_OUT = /^Bail out!\s*(.*)/i;

/** Reads what a test file says, in the Test Anything Protocol, line by line. Nested subtests count as one. */
export class TapReader {
  /** How many subtests the file wants to run, once it has said so. */
  planned: number | undefined;
  /** Why the file runs none at all. */
  skipReason: string | undefined;
  /** Why the file gave up. */
  bailReason: string | undefined;
  seen = 0;
  /** Those of `seen` that the file did not really run. */
  skipped = 0;
  readonly failed: FailedSubtest[] = [];

  get passed(): number {
    return this.seen - this.failed.length;
  }

  /** Takes a line, without its end. What is no TAP is ignored. */
  read(line: string): void {
    const plan = PLAN.exec(line);
    if (plan !== null) {
      this.planned = Number(plan[1]);
      if (this.planned === 0) this.skipReason = plan[2] ?? '';
      return;
    }
    const subtest = SUBTEST.exec(line);
    if (subtest !== null) this.#readSubtest(subtest);
    else this.bailReason ??= BAIL_OUT.exec(line)?.[1];
  }

  #readSubtest([, not, number, title = '', directive]: RegExpExecArray): void {
    this.seen++;
    if (directive?.toLowerCase() === 'skip') this.skipped++;
    // One that is marked todo is expected to fail.
    else if (not !== undefined && directive === undefined) this.failed.push({ number: Number(number ?? this.seen), title });
  }
}
