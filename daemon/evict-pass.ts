import type { Pass, Round } from './pass.ts';
import { NOTHING_REAPED } from './reap-report.ts';
import type { IndexState, SweepTarget } from './target.ts';

/** Bytes asked for at a time: less than any step of the server, so that each round is one step. */
const ROUND_BYTES = 1;

/**
 * Has items evicted while the server says that its limit on disk or a quota is near. What is worth least is known to the server,
 * which sees what is read; when and how fast is decided here, after what has expired is gone.
 */
export class EvictPass implements Pass {
  readonly work = 'evicted';
  readonly #target: SweepTarget;

  constructor(target: SweepTarget) {
    this.#target = target;
  }

  isWanted(state: IndexState): boolean {
    return (state.evictBytes ?? 0) > 0;
  }

  begin(): void {}

  async round(): Promise<Round> {
    const report = (await this.#target.evict?.(ROUND_BYTES)) ?? NOTHING_REAPED;
    const state = await this.#target.state();
    // A server that has nothing to give up, or is at it already, is asked again in the next sweep.
    return { report, entries: report.scanned, more: report.scanned > 0 && this.isWanted(state) };
  }

  finish(): void {}

  reset(): void {}
}
