import { TABLE_ROW_BYTES } from '../store/dead-rows.ts';
import type { LevelUse, Store } from '../store/store.ts';
import { type DeadRange, planRanges } from './compaction-plan.ts';
import { RestWatch } from './rest-watch.ts';

/** A range pays when more than half as much is dead as is alive; at rest, when a fifth is. As shares of its bytes. */
const PAYS_SHARE = 1 / 3;
const PAYS_SHARE_AT_REST = 1 / 6;
/** Dead bytes below which no range is worth it. */
const DEAD_MIN = 2 * 2 ** 20;
/** Milliseconds for which the figures are good, and for which a plan is when nothing in it paid. */
const LOOK_MS = 2_000;
const PLAN_MS = 5_000;
/** Rows of one key may share most of it with their neighbours, which tables store once: bounds of what that can come to. */
const DENSITY_MIN = 0.4;
/** Bytes of live rows from which that is learned: with less, LevelDB's own account is too coarse. */
const LEARN_BYTES = 16 * 2 ** 20;
/** Times as much noted as there is dead, at which what was noted is too old to tell where. */
const NOTED_MAX = 2;

/** Bytes of LevelDB's tables of items and of the swept index, alive and dead. Estimates. */
export interface DeadWeight {
  readonly live: number;
  readonly dead: number;
  /** Dead bytes of the ranges whose compaction pays now. */
  readonly worth: number;
}

export interface CompactorLimits {
  readonly deadMin?: number;
  readonly rangeBytes?: number;
  readonly nowMs?: () => number;
}

/**
 * Knows how much of LevelDB's tables is dead, and gives it back a range at a time. When, and how fast, is decided by who calls
 * `step`: the expiry daemon, or upkeep where there is none.
 *
 * How much is alive is counted by the store, to the byte; what tables take for it is estimated, and learned: they can never take
 * less than what is alive, and what is left after all that paid was compacted is taken for alive.
 */
export class RowCompactor {
  readonly #store: Store;
  readonly #deadMin: number;
  readonly #rangeBytes: number | undefined;
  readonly #nowMs: () => number;
  readonly #rest = new RestWatch();
  /** Table bytes for a byte of live rows; falls as fuller tables are seen. */
  #density = 1;
  /** Bytes that seemed dead and that no compaction gives back. */
  #stays = 0;
  /** The same of the index. */
  #indexStays = 0;
  #plan: DeadRange[] = [];
  #plannedAtMs = Number.NEGATIVE_INFINITY;
  /** Something of the plan was compacted. */
  #hasWorked = false;
  #use: LevelUse | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<LevelUse> | undefined;
  #running = false;
  /** Since the process started: ranges compacted, and bytes that tables became smaller by. */
  readonly done: { runs: number; bytes: number } = { runs: 0, bytes: 0 };

  constructor(store: Store, { deadMin = DEAD_MIN, rangeBytes, nowMs = () => performance.now() }: CompactorLimits = {}) {
    this.#store = store;
    this.#deadMin = deadMin;
    this.#rangeBytes = rangeBytes;
    this.#nowMs = nowMs;
  }

  get running(): boolean {
    return this.#running;
  }

  /** What is dead, and what of it is worth compacting now; looks at LevelDB if the last look is too old. */
  async weigh(): Promise<DeadWeight> {
    const use = await this.#look();
    if (this.#plan.length === 0 && !this.#running) this.#makePlan(use);
    const inPlan = this.#plan.reduce((sum, range) => sum + range.dead, 0);
    return { live: Math.round(this.#live()), dead: Math.round(this.#dead(use) + use.sweptIndex), worth: Math.round(inPlan + this.#indexWorth(use)) };
  }

  /** Compacts the range with the largest share of dead bytes, if one pays; returns the bytes that tables became smaller by. Not for two at a time. */
  async step(): Promise<{ readonly runs: number; readonly bytes: number }> {
    if (this.#running || this.#store.failure !== undefined) return { runs: 0, bytes: 0 };
    const { worth } = await this.weigh();
    if (worth === 0 || this.#running) return { runs: 0, bytes: 0 };
    this.#running = true;
    try {
      const before = await this.#measure();
      const isIndex = this.#indexWorth(before) > 0;
      if (isIndex) await this.#store.compactSweptIndex();
      else await this.#compact(this.#plan.shift());
      const after = await this.#measure();
      if (isIndex) this.#indexStays = after.sweptIndex;
      const bytes = Math.max(0, before.items + before.sweptIndex - after.items - after.sweptIndex);
      this.done.runs++;
      this.done.bytes += bytes;
      return { runs: 1, bytes };
    } finally {
      this.#running = false;
    }
  }

  async #compact(range: DeadRange | undefined): Promise<void> {
    if (range === undefined) return;
    this.#hasWorked = true;
    // What dies while it runs may be left over, so it is forgotten before.
    this.#store.deadRows.forget(range.from, range.to);
    await this.#store.compactBetween(range.from, range.to);
  }

  #makePlan(use: LevelUse): void {
    const now = this.#nowMs();
    const { deadRows } = this.#store;
    const isAtRest = this.#rest.note(deadRows.noted, Math.max(use.items, this.#deadMin), now);
    if (now - this.#plannedAtMs < PLAN_MS) return;
    this.#plannedAtMs = now;
    if (this.#hasWorked) this.#learn(use);
    this.#hasWorked = false;
    const dead = this.#dead(use);
    while (deadRows.bytes > NOTED_MAX * Math.max(dead, this.#deadMin)) deadRows.age();
    if (dead < this.#deadMin) return;
    const known = { dead, noted: deadRows.bytes, notedBetween: deadRows.between.bind(deadRows) };
    const share = isAtRest ? PAYS_SHARE_AT_REST : PAYS_SHARE;
    this.#plan = planRanges(this.#store.itemTables(), known, this.#rangeBytes)
      .filter((range) => range.dead >= this.#deadMin && range.dead >= share * range.bytes)
      .toSorted((a, b) => b.dead / b.bytes - a.dead / a.bytes);
  }

  /** After a plan was carried out: what seems dead still, and was noted nowhere, is not. */
  #learn(use: LevelUse): void {
    this.#stays = Math.max(0, use.items + use.logs - this.#live() - this.#store.deadRows.bytes);
  }

  #indexWorth({ sweptIndex }: LevelUse): number {
    const bytes = sweptIndex - this.#indexStays;
    return bytes >= this.#deadMin ? bytes : 0;
  }

  #live(): number {
    return this.#density * this.#raw();
  }

  #raw(): number {
    const { rowBytes, state } = this.#store;
    return rowBytes + state.items * TABLE_ROW_BYTES;
  }

  #dead({ items, logs }: LevelUse): number {
    return Math.max(0, items + logs - this.#live() - this.#stays);
  }

  async #look(): Promise<LevelUse> {
    if (this.#use !== undefined && this.#nowMs() - this.#lookedAtMs < LOOK_MS) return this.#use;
    this.#looking ??= this.#measure().finally(() => (this.#looking = undefined));
    return await this.#looking;
  }

  async #measure(): Promise<LevelUse> {
    const use = await this.#store.levelUse();
    this.#use = use;
    this.#lookedAtMs = this.#nowMs();
    const raw = this.#raw();
    if (raw >= LEARN_BYTES) this.#density = Math.max(DENSITY_MIN, Math.min(this.#density, (use.items + use.logs) / raw));
    this.#indexStays = Math.min(this.#indexStays, use.sweptIndex);
    this.#stays = Math.min(this.#stays, Math.max(0, use.items + use.logs - this.#live()));
    return use;
  }
}
