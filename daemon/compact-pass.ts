import { BUSY_MS } from './pace.ts';
import type { Pass, Round } from './pass.ts';
import { NOTHING_REAPED } from './reap-report.ts';
import type { CompactReport, IndexState, SweepTarget } from './target.ts';

/** The report of a target that knows nothing of compaction. */
const NOTHING_COMPACTED: CompactReport = { runs: 0, bytes: 0 };

/**
 * Has dead rows compacted away, a range at a time, while the server says that it pays. How much is dead and where is known
 * to the server; when and how fast is decided here, after all other work. While the server is busy it is left alone: nothing
 * is lost by waiting, and LevelDB compacts by itself where much is written.
 */
export class CompactPass implements Pass {
  readonly work = 'compacted';
  readonly #target: SweepTarget;

  constructor(target: SweepTarget) {
    this.#target = target;
  }

  isWanted({ compactBytes = 0, busyMs }: IndexState): boolean {
    return compactBytes > 0 && busyMs <= BUSY_MS;
  }

  begin(): void {}

  async round(): Promise<Round> {
    const compacted = (await this.#target.compact?.()) ?? NOTHING_COMPACTED;
    const state = await this.#target.state();
    // A server that is at it already is asked again in the next sweep.
    return { report: NOTHING_REAPED, compacted, entries: 0, more: compacted.runs > 0 && this.isWanted(state) };
  }

  finish(): void {}

  reset(): void {}
}
