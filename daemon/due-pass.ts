import type { Disposal } from './disposal.ts';
import type { Pass, Round } from './pass.ts';
import { NOTHING_REAPED } from './reap-report.ts';
import type { IndexState, SweepTarget } from './target.ts';

/**
 * Goes through the TTL index in order of deadline.
 *
 * It goes on where the last pass ended, because seeking from the start would walk over the remains of
 * all rows deleted so far. A row can still appear behind that place: one whose write was under way when
 * the place was passed. So, when the end is reached and the index says that something older is left,
 * the pass begins once more from the start.
 *
 * It ends at what was due when it began. What becomes due meanwhile is the next pass's work; otherwise
 * a pass under steady load would never end.
 */
export class DuePass implements Pass {
  readonly work = 'expired';
  readonly #target: SweepTarget;
  readonly #disposal: Disposal;
  #cursor: string | undefined;
  #horizon = 0;
  #wasAtStart = false;

  constructor(target: SweepTarget, disposal: Disposal) {
    this.#target = target;
    this.#disposal = disposal;
  }

  isWanted(state: IndexState): boolean {
    return state.oldestDeadline !== 0 && state.oldestDeadline <= state.now;
  }

  begin(state: IndexState): void {
    this.#horizon = state.now;
    this.#wasAtStart = this.#cursor === undefined;
  }

  async round(limit: number): Promise<Round> {
    const list = await this.#target.due(limit, this.#cursor);
    const report = list.rows.length === 0 ? NOTHING_REAPED : await this.#disposal.rows(list);
    const entries = list.rows.reduce((sum, row) => sum + row.entries, 0);
    const lastDeadline = list.rows.at(-1)?.deadline ?? 0;
    // A server that gives the same place twice makes no progress; to ask again would be for ever.
    const goesOn = list.next !== undefined && list.next !== this.#cursor;
    if (goesOn) this.#cursor = list.next;
    const more = (goesOn && lastDeadline <= this.#horizon) || (await this.#beginsAnew());
    return { report, entries, more };
  }

  finish(): void {
    // Rows that were only looked at are still there, and the next look is to show them again.
    if (!this.#disposal.deletes) this.#cursor = undefined;
  }

  reset(): void {
    this.#cursor = undefined;
  }

  async #beginsAnew(): Promise<boolean> {
    if (this.#wasAtStart || !this.#disposal.deletes) return false;
    this.#wasAtStart = true;
    const { oldestDeadline } = await this.#target.state();
    if (oldestDeadline === 0 || oldestDeadline > this.#horizon) return false;
    this.#cursor = undefined;
    return true;
  }
}
