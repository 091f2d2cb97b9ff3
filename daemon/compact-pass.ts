import { BUSY_MS } from './pace.ts';
import type { Pass, Round } from './pass.ts';
import { NOTHING_REAPED } from './reap-report.ts';
import type { CompactReport, IndexState, SweepTarget } from './target.ts';

/** Milliseconds that a busy server is left alone for: then one range is compacted all the same, or the disk would grow without bound. */
const PATIENCE_MS = 15_000;

/** The report of a target that knows nothing of compaction. */
const NOTHING_COMPACTED: CompactReport = { runs: 0, bytes: 0 };

/**
 * Has dead rows compacted away, a range at a time, while the server says that it pays. How much is dead and where is known
 * to the server; when and how fast is decided here, after all other work. While the server is busy it is left alone, but for
 * a range now and then: LevelDB compacts by itself where much is written, but not elsewhere.
 */
export class CompactPass implements Pass {
  readonly work = 'compacted';
  readonly #target: SweepTarget;
  /** Since when compaction would pay and the server is busy. */
  #waitsSinceMs: number | undefined;

  constructor(target: SweepTarget) {
    this.#target = target;
  }

  isWanted({ compactBytes = 0, busyMs }: IndexState, nowMs: number): boolean {
    if (compactBytes === 0 || busyMs <= BUSY_MS) this.#waitsSinceMs = undefined;
    else this.#waitsSinceMs ??= nowMs;
    return compactBytes > 0 && (this.#waitsSinceMs === undefined || nowMs - this.#waitsSinceMs >= PATIENCE_MS);
  }

  begin(): void {}

  async round(): Promise<Round> {
    const compacted = (await this.#target.compact?.()) ?? NOTHING_COMPACTED;
    this.#waitsSinceMs = undefined;
    const { compactBytes = 0, busyMs } = await this.#target.state();
    // A server that is at it already is asked again in the next sweep.
    return { report: NOTHING_REAPED, compacted, entries: 0, more: compacted.runs > 0 && compactBytes > 0 && busyMs <= BUSY_MS };
  }

  finish(): void {}

  reset(): void {}
}
