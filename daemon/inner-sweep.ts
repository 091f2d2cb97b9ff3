import type { Logger } from 'pino';
import { systemClock } from './clock.ts';
import { SweepStats } from './stats.ts';
import { Sweeper } from './sweeper.ts';
import type { SweepTarget } from './target.ts';

/** Entries per round at most, as the daemon's own default. */
const BATCH = 1000;

/**
 * The daemon's sweep for use inside the server: each call sweeps until nothing is left that was due when
 * it began, and hands the stats of all calls so far to the target.
 */
export function innerSweep(logger: Logger): (target: SweepTarget, signal: AbortSignal) => Promise<void> {
  const stats = new SweepStats();
  return async (target, signal) => {
    const settings = { batch: BATCH, maxRate: 0, intervalMs: 1000 };
    const sweeper = new Sweeper({ target, settings, stats, clock: systemClock, logger, random: Math.random });
    await sweeper.sweepOnce(signal);
    await target.report(stats.entries());
  };
}
