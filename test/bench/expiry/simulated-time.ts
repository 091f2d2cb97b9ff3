import pino from 'pino';
import { SweepStats } from '../../../daemon/stats.ts';
import { Sweeper } from '../../../daemon/sweeper.ts';
import { RowCompactor } from '../../../src/upkeep/row-compactor.ts';
import { ValueCollector } from '../../../src/upkeep/value-collector.ts';
import type { OpenCache } from '../../support/open-cache.ts';

const NEVER = new AbortController().signal;
/** Sets that are staged before their commit is waited for. */
const STAGED_SETS = 500;
const HOUR_SECONDS = 3600;
const HOURS_PER_DAY = 24;

/** The daemon's sweeper on a cache of this process, whose clock somebody else moves. */
export function sweeperOn({ target, clock }: OpenCache): Sweeper {
  return new Sweeper({
    target,
    settings: { batch: 1000, maxRate: 0, intervalMs: 1000 },
    stats: new SweepStats(),
    // No pause: nobody else wants the time.
    clock: { nowMs: () => performance.now(), unixSeconds: () => clock.now(), pause: async () => Promise.resolve() },
    logger: pino({ level: 'silent' }),
    random: Math.random,
  });
}

/** What is written, and for how long. */
export interface DaysPlan {
  readonly days: number;
  readonly timeToLiveDays: number;
  readonly itemsPerDay: number;
  readonly valueBytes: number;
  /** Hours between two sweeps, each with what upkeep does. */
  readonly sweepEveryHours: number;
}

/** The end of an hour in which was swept. */
export interface DaysSample {
  readonly day: number;
  /** Bytes of the value log, and of LevelDB's files. */
  readonly valueBytes: number;
  readonly levelBytes: number;
  readonly items: number;
  readonly indexEntries: number;
}

/** Writes new items day after day in simulated time, at the same rate all day long, and sweeps. */
export async function* simulateDays(open: OpenCache, plan: DaysPlan): AsyncGenerator<DaysSample, void, undefined> {
  const sweeper = sweeperOn(open);
  const collector = new ValueCollector(open.residency, open.store);
  const compactor = new RowCompactor(open.store, { nowMs: () => open.clock.now() * 1000 });
  const timeToLive = plan.timeToLiveDays * HOURS_PER_DAY * HOUR_SECONDS;
  let stored = 0;
  for (let hour = 1; hour <= plan.days * HOURS_PER_DAY; hour += 1) {
    const until = Math.floor((hour * plan.itemsPerDay) / HOURS_PER_DAY);
    for (; stored < until; stored += 1) {
      const isStored = open.set(`item:${stored}`, Buffer.alloc(plan.valueBytes, stored), timeToLive > 30 * HOURS_PER_DAY * HOUR_SECONDS ? open.clock.now() + timeToLive : timeToLive);
      if (stored % STAGED_SETS === 0) await isStored.then(() => open.store.inLevel());
    }
    open.clock.advance(HOUR_SECONDS);
    if (hour % plan.sweepEveryHours !== 0) continue;
    await open.store.inLevel();
    await sweeper.sweepOnce(NEVER);
    await open.store.sync();
    await collector.run(() => open.clock.now(), NEVER);
    // LevelDB's own compactions take time that is not simulated; those that the daemon asks for are waited for.
    while ((await compactor.step()).runs > 0);
    yield {
      day: hour / HOURS_PER_DAY,
      valueBytes: open.store.values.stats().bytes,
      levelBytes: await open.store.levelDiskBytes(),
      items: open.store.state.items,
      indexEntries: open.store.state.indexEntries,
    };
  }
}

/** A key that is touched over and over. */
export interface TouchPlan {
  /** Seconds to live that each touch gives. */
  readonly timeToLive: number;
  /** How long it is touched. */
  readonly seconds: number;
  readonly touchesPerSecond: number;
}

/** What a key that was touched cost. */
export interface TouchCost {
  /** Entries of the index at most, at any time. */
  readonly mostEntries: number;
  /** Rows written to LevelDB per touch. */
  readonly commitsPerTouch: number;
  /** Entries and items left when its time was over and all was swept. */
  readonly entriesLeft: number;
  readonly itemsLeft: number;
}

/** Touches one session in simulated time, sweeping every second, then lets it expire. */
export async function touchSession(open: OpenCache, { timeToLive, seconds, touchesPerSecond }: TouchPlan): Promise<TouchCost> {
  const sweeper = sweeperOn(open);
  const key = 'session';
  let mostEntries = 0;
  await open.set(key, Buffer.alloc(100), timeToLive);
  await open.store.inLevel();
  const before = open.store.commits.mutations;
  for (let second = 0; second < seconds; second += 1) {
    for (let touch = 0; touch < touchesPerSecond; touch += 1) await open.touch(key, timeToLive);
    await open.store.inLevel();
    await sweeper.sweepOnce(NEVER);
    mostEntries = Math.max(mostEntries, open.store.state.indexEntries);
    open.clock.advance(1);
  }
  const mutations = open.store.commits.mutations - before;
  open.clock.advance(2 * timeToLive);
  await sweeper.sweepOnce(NEVER);
  const { indexEntries, items } = open.store.state;
  return { mostEntries, commitsPerTouch: mutations / (seconds * touchesPerSecond), entriesLeft: indexEntries, itemsLeft: items };
}
