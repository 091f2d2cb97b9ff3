import { type Profiler, Session } from 'node:inspector';

/**
 * Which parts of the project's code have run, as V8 counts it by blocks.
 *
 * A block is counted as new when some of its text never ran before. What V8 tells is sorted so that inner blocks come
 * behind those around them, so painting them one over the other leaves each character with the count of its own block.
 */
export class Coverage {
  readonly #session = new Session();
  /** By script: 1 for each character that has run. */
  readonly #ran = new Map<string, Uint8Array>();
  /** Pieces of code that were new when they ran. */
  blocks = 0;

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** How many blocks ran, since this was last asked, that never had. With `keep` they are known from now on. */
  news(keep: boolean): number {
    let found = 0;
    for (const script of this.#take()) found += this.#look(script, keep);
    if (keep) this.blocks += found;
    return found;
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    // Calls back before it returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error === null) scripts = result;
    });
    return scripts.filter(({ url }) => /\/(src|daemon)\/[^?]*$/.test(url) && !url.includes('/node_modules/'));
  }

  #look({ url, functions }: Profiler.ScriptCoverage, keep: boolean): number {
    const ranges = functions.flatMap((each) => each.ranges).toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
    const length = Math.max(0, ...ranges.map(({ endOffset }) => endOffset));
    const now = new Uint8Array(length);
    for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    let before = this.#ran.get(url);
    if (before === undefined || before.length < length) {
      const longer = new Uint8Array(length);
      longer.set(before ?? []);
      before = longer;
      if (keep) this.#ran.set(url, before);
    }
    let found = 0;
    let isInside = false;
    for (let i = 0; i < length; i++) {
      const isNew = now[i] === 1 && before[i] === 0;
      if (isNew && !isInside) found++;
      isInside = isNew;
      if (isNew && keep) before[i] = 1;
    }
    return found;
  }
}
