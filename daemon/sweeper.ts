import type { Logger } from 'pino';
import { backOffMs } from './back-off.ts';
import type { Clock } from './clock.ts';
import { CompactPass } from './compact-pass.ts';
import { deleting, type Disposal } from './disposal.ts';
import { DuePass } from './due-pass.ts';
import { EvictPass } from './evict-pass.ts';
import { isTransient, LinkError, reasonOf } from './link-error.ts';
import type { Link } from './link.ts';
import { ListPass } from './list-pass.ts';
import { firstLimit, nextPace, type Pace, type PaceSettings } from './pace.ts';
import type { Pass } from './pass.ts';
import { lagSeconds, type SweepStats, type SweepSummary } from './stats.ts';
import { Tally } from './tally.ts';
import type { IndexState, SweepTarget } from './target.ts';

/** How old the server's own word on how busy it is may be, in milliseconds. */
const STATE_EVERY_MS = 200;

/** How often the daemon's stats go to the server while nothing happens, in milliseconds. */
const REPORT_EVERY_MS = 5_000;

/** Least time between two reports, in milliseconds: sweeps with work may follow each other quickly. */
const REPORT_GAP_MS = 1_000;

/** Broken connections in a row, without a round done between them, that a single sweep puts up with. */
const MAX_FAILURES = 5;

export interface SweepSettings extends PaceSettings {
  /** Days since the last store after which items go, whatever their expiry; undefined = never for age. */
  readonly olderThanDays?: number | undefined;
  /** Only keys that begin with these bytes. */
  readonly prefix?: Buffer | undefined;
}

export interface SweeperOptions {
  readonly target: SweepTarget;
  readonly settings: SweepSettings;
  readonly stats: SweepStats;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From [0, 1); spreads the attempts after failures. */
  readonly random: () => number;
  /** Absent when this process has the store open itself. */
  readonly link?: Link | undefined;
  /** What is done with what is found; without it, it is deleted. */
  readonly disposal?: Disposal;
}

/** What the last request with work cost. */
interface Cost {
  readonly entries: number;
  readonly durationMs: number;
  /** Other threads of the server did it, so its duration is no strain. */
  readonly isBeside?: boolean;
}

/**
 * Sweeps a target: in rounds, at the pace that `pace.ts` decides, going on where it was after a lost
 * connection. Not safe for more than one sweep at a time.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #passes: readonly Pass[];
  #limit: number;
  #idleTripMs = Number.POSITIVE_INFINITY;
  #state: IndexState | undefined;
  #stateAtMs = 0;
  #incarnation = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#limit = firstLimit(options.settings);
    this.#passes = passesFor(options);
  }

  /**
   * Sweeps at full speed until nothing is left that was due at the beginning. Goes on after a lost
   * connection if the target can be reached again; otherwise rejects. An abort ends it early, with
   * what was done so far.
   */
  async sweepOnce(signal: AbortSignal): Promise<SweepSummary> {
    const { clock, stats, logger } = this.#options;
    const tally = new Tally(clock.nowMs());
    let failures = 0;
    let roundsBefore = 0;
    for (;;) {
      try {
        await this.#sweep(tally, true, signal);
        break;
      } catch (error) {
        if (signal.aborted) break;
        if (!isTransient(error)) throw error;
        failures = tally.rounds > roundsBefore ? 1 : failures + 1;
        roundsBefore = tally.rounds;
        if (failures >= MAX_FAILURES) throw error;
        stats.addFailure();
        logger.debug({ reason: reasonOf(error) }, 'sweep interrupted, going on');
        await clock.pause(backOffMs(failures - 1, this.#options.random()), signal);
      }
    }
    return this.#finish(tally, signal.aborted);
  }

  /** Sweeps again and again until the signal aborts. Rejects only for errors that are not the link's. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const tally = new Tally(this.#options.clock.nowMs());
      try {
        const pace = await this.#sweep(tally, false, signal);
        if (signal.aborted) return;
        const summary = this.#finish(tally, false);
        this.#recovered();
        failures = 0;
        await this.#rest(pace.pauseMs, summary.scanned > 0, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof LinkError)) throw error;
        this.#failed(error);
        if (tally.rounds > 0) failures = 0;
        await this.#options.clock.pause(backOffMs(failures++, this.#options.random()), signal);
      }
    }
  }

  /** One sweep over all passes; gives back the pace to go on with. */
  async #sweep(tally: Tally, isUrgent: boolean, signal: AbortSignal): Promise<Pace> {
    const { clock, link, stats } = this.#options;
    let cost: Cost = { entries: 0, durationMs: await this.#look(tally) };
    if (link !== undefined && link.incarnation !== this.#incarnation) {
      this.#incarnation = link.incarnation;
      for (const pass of this.#passes) pass.reset();
    }
    for (const [index, pass] of this.#passes.entries()) {
      const startedMs = clock.nowMs();
      if (!pass.isWanted(this.#known(), startedMs)) continue;
      pass.begin(this.#known());
      for (let more = true; more && !signal.aborted; ) {
        const roundMs = clock.nowMs();
        const round = await pass.round(this.#limit);
        cost = { entries: round.entries, durationMs: clock.nowMs() - roundMs, isBeside: round.compacted !== undefined };
        if (round.compacted !== undefined) stats.addCompaction(round.compacted);
        tally.addRound(pass.work, round.report);
        stats.addRound(pass.work, round.report);
        more = round.more;
        if (!more) pass.finish(clock.nowMs(), clock.nowMs() - startedMs);
        if (pass.listing !== undefined) stats.setListing(pass.listing);
        if (clock.nowMs() - this.#stateAtMs >= STATE_EVERY_MS) await this.#look(tally);
        if (more || this.#isAnyWantedAfter(index)) {
          const { pauseMs } = this.#pace(cost, true, isUrgent);
          // A single sweep is not the daemon that the server's stats are about.
          if (isUrgent) await clock.pause(pauseMs, signal);
          else await this.#rest(pauseMs, false, signal);
        }
      }
    }
    if (tally.rounds > 0 && !signal.aborted) await this.#look(tally);
    return this.#pace(cost, tally.scanned > 0 && this.#isIndexDue(), isUrgent);
  }

  /**
   * What became due during a long sweep is taken without an idle sleep; but only after a sweep that met
   * something, because an index that says "due" and lists nothing would otherwise be asked in a spin.
   */
  #isIndexDue(): boolean {
    return this.#passes.some((pass) => pass.work === 'expired' && pass.isWanted(this.#known(), 0));
  }

  /** Asks for the index's state; gives back how long that took. */
  async #look(tally: Tally): Promise<number> {
    const { clock, stats, target } = this.#options;
    const startedMs = clock.nowMs();
    const state = await target.state();
    const tookMs = clock.nowMs() - startedMs;
    this.#state = state;
    this.#stateAtMs = clock.nowMs();
    // The quickest trip so far, creeping upwards so that a way that became longer is noticed.
    this.#idleTripMs = Math.min(tookMs, this.#idleTripMs * 1.05);
    tally.setState(state);
    stats.setState(state);
    return tookMs;
  }

  #known(): IndexState {
    if (this.#state === undefined) throw new TypeError('The state of the index was never asked for');
    return this.#state;
  }

  #pace({ entries, durationMs, isBeside = false }: Cost, more: boolean, isUrgent: boolean): Pace {
    const state = this.#known();
    const isIndexSwept = this.#passes.some((pass) => pass.work === 'expired');
    const pace = nextPace(
      {
        limit: this.#limit,
        entries,
        durationMs,
        // Looking up keys one by one takes long and holds nobody up: it is many small requests.
        idleTripMs: isBeside || this.#options.disposal?.deletes === false ? durationMs : this.#idleTripMs,
        more,
        lagMs: isIndexSwept ? lagSeconds(state) * 1000 : 0,
        isUrgent,
        untilDueMs:
          state.oldestDeadline === 0 || !isIndexSwept
            ? Number.POSITIVE_INFINITY
            : Math.max(0, state.oldestDeadline - state.now) * 1000,
        busyMs: state.busyMs,
      },
      this.#options.settings,
    );
    this.#limit = pace.limit;
    this.#options.stats.setPace(pace);
    return pace;
  }

  #isAnyWantedAfter(index: number): boolean {
    const nowMs = this.#options.clock.nowMs();
    return this.#passes.slice(index + 1).some((pass) => pass.isWanted(this.#known(), nowMs));
  }

  #finish(tally: Tally, interrupted: boolean): SweepSummary {
    const { clock, stats, logger } = this.#options;
    const summary = tally.summary(clock.nowMs(), interrupted);
    stats.addSweep(summary, clock.unixSeconds());
    if (summary.scanned > 0) {
      logger.debug({ ...summary, durationMs: Math.round(summary.durationMs), rate: Math.round(summary.rate) }, 'swept');
    }
    return summary;
  }

  /** Sleeps between two sweeps, and hands the stats to the server on the way. */
  async #rest(pauseMs: number, hadWork: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.nowMs() + pauseMs;
    let everyMs = hadWork ? REPORT_GAP_MS : REPORT_EVERY_MS;
    while (!signal.aborted) {
      if (clock.nowMs() - this.#reportedAtMs >= everyMs) {
        await this.#report();
        everyMs = REPORT_EVERY_MS;
      }
      const leftMs = endMs - clock.nowMs();
      if (leftMs <= 0) return;
      await clock.pause(Math.min(leftMs, Math.max(1, this.#reportedAtMs + everyMs - clock.nowMs())), signal);
    }
  }

  async #report(): Promise<void> {
    const { clock, stats, target } = this.#options;
    await target.report(stats.entries());
    this.#reportedAtMs = clock.nowMs();
  }

  /** One line when sweeping begins to fail, not one per attempt. */
  #failed(error: LinkError): void {
    this.#options.stats.addFailure();
    if (this.#isFailing) {
      this.#options.logger.debug({ code: error.code, reason: error.message }, 'sweep failed');
      return;
    }
    // A lost connection is told by the target, which knows when it is back.
    const isLinkDown = this.#options.link?.reachable === false;
    this.#options.logger[isLinkDown ? 'debug' : 'warn']({ code: error.code, reason: error.message }, 'sweep failed, trying again');
    this.#isFailing = !isLinkDown;
  }

  #recovered(): void {
    if (this.#isFailing) this.#options.logger.info('sweeping again');
    this.#isFailing = false;
  }
}

function passesFor({ target, settings, disposal = deleting(target) }: SweeperOptions): Pass[] {
  const { olderThanDays, prefix, intervalMs } = settings;
  const listPass = new ListPass(target, disposal, { olderThanDays, prefix, intervalMs });
  // The TTL index is in order of time: for one prefix, the order of keys is shorter.
  if (prefix !== undefined) return [listPass];
  const passes: Pass[] = [new DuePass(target, disposal)];
  if (olderThanDays !== undefined) passes.push(listPass);
  // What is only looked at is neither evicted nor compacted.
  if (disposal.deletes) passes.push(new EvictPass(target), new CompactPass(target));
  return passes;
}
