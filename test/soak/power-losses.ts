import { messageOf } from '../../src/errors.ts';
import { losePower } from '../faults/power-loss.ts';
import { powerLossWays } from '../faults/power-loss-ways.ts';
import { Random } from '../faults/random.ts';
import type { Say } from './crash-rounds.ts';

/** States of one store for each way to lose data, before the next store is written. */
const POINTS = 60;
/** Faults after which there is nothing more to learn. */
const FAULTS_MOST = 5;

/**
 * Loses power on stores of all ways in turn, so many states altogether, and compares what is left. Gives back what was broken.
 * Ends at `endMs` (of performance.now()) at the latest, with what is done.
 */
export async function runPowerLosses(states: number, seed: number, endMs: number, say: Say): Promise<readonly string[]> {
  const random = new Random(seed);
  const faults: string[] = [];
  const isOver = (): boolean => performance.now() >= endMs;
  const sum = { stores: 0, points: 0, earlier: 0, cut: 0, lostValues: 0, removed: 0 };
  const made = new Map<string, number>();
  while (sum.points < states && !isOver() && faults.length < FAULTS_MOST) {
    const { name, spec } = powerLossWays[sum.stores++ % powerLossWays.length]!;
    try {
      const report = await losePower({ seed: random.between(0, 2 ** 31), spec, points: POINTS, most: states - sum.points, isOver });
      sum.points += report.points;
      sum.earlier += report.earlier;
      sum.cut += report.cut;
      sum.lostValues += report.lostValues;
      sum.removed += report.removed.length;
      for (const [kind, count] of report.made) made.set(kind, (made.get(kind) ?? 0) + count);
    } catch (error) {
      faults.push(`power lost, ${name}: ${messageOf(error)}`);
    }
  }
  say(
    `power lost in ${sum.points} of ${states} states of ${sum.stores} stores: ${sum.earlier} were as of an earlier moment than the last write, ${sum.cut} had writes ` +
      `behind a hole, ${sum.lostValues} values stored since the last sync were gone; ${faults.length} faults`,
  );
  say(`written after the last sync: ${[...made].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${sum.removed} files removed by it or since`);
  if (sum.points < states && isOver()) say(`only ${sum.points} of ${states} states fitted into the time`);
  return faults;
}
