import { Histogram } from '../load/histogram.ts';
import { median } from '../statistics.ts';
import { formatTable } from '../table.ts';

/** Phases are cut into portions as long as this, or nearly. */
export const PORTION_SECONDS = 5;
const NS_PER_MS = 1e6;
/** A machine on which the p99 after a run is more times that before it, or the other way round, has changed within it. */
const MOST_DRIFT = 1.5;

/** Gets of some seconds, as the readers report them. */
export interface Portion {
  /** As `Histogram.counts` has them. */
  readonly latencies: readonly (readonly [bucket: number, count: number])[];
  /** Gets that found nothing. */
  readonly misses: number;
}

/** Gets of one portion or of several together; times in milliseconds, 0 where there were none. */
export interface Gets {
  readonly gets: number;
  readonly misses: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The median of the p99s of the portions: one bad moment does not show in it. NaN where there were no gets. */
  readonly medianP99: number;
}

/** How long the gets of a phase took, in times what those before and after it took. */
export interface Comparison {
  /** In times the mean of before and after. */
  readonly p99: number;
  readonly medianP99: number;
  /** After it, in times before it. */
  readonly driftOfP50: number;
  readonly driftOfP99: number;
  /** Whether the p99 after it is so far from that before that the rest says little. */
  readonly hasMachineChanged: boolean;
}

/** Puts portions together. */
export function getsOf(portions: readonly Portion[]): Gets {
  const all = histogramOf(portions);
  const ms = (share: number): number => all.percentile(share) / NS_PER_MS;
  const p99s = portions.map((portion) => histogramOf([portion])).flatMap((one) => (one.total > 0 ? [one.percentile(0.99) / NS_PER_MS] : []));
  return { gets: all.total, misses: portions.reduce((sum, { misses }) => sum + misses, 0), p50: ms(0.5), p99: ms(0.99), max: ms(1), medianP99: median(p99s) };
}

function histogramOf(portions: readonly Portion[]): Histogram {
  const histogram = new Histogram();
  for (const { latencies } of portions) histogram.add(latencies);
  return histogram;
}

/** Compares a phase with what is normal: the machine drifts, so that is what was measured before and after it. */
export function compare(before: Gets, meanwhile: Gets, after: Gets): Comparison {
  const times = (figure: (gets: Gets) => number): number => figure(meanwhile) / ((figure(before) + figure(after)) / 2);
  const driftOfP99 = after.p99 / before.p99;
  return {
    p99: times(({ p99 }) => p99),
    medianP99: times(({ medianP99 }) => medianP99),
    driftOfP50: after.p50 / before.p50,
    driftOfP99,
    hasMachineChanged: Math.max(driftOfP99, 1 / driftOfP99) > MOST_DRIFT,
  };
}

/** The figures of gets, in a line. */
export function showGets({ gets, misses, p50, p99, max }: Gets): string {
  return `${gets} gets, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(1)} ms${misses > 0 ? `, ${misses} misses` : ''}`;
}

/** The phases that were compared and what it came to, in Markdown. */
export function showComparison(phases: readonly { readonly name: string; readonly gets: Gets }[], { p99, medianP99, driftOfP50, driftOfP99, hasMachineChanged }: Comparison): string {
  const rows = phases.map(({ name, gets }) => [name, gets.p50.toFixed(2), gets.p99.toFixed(2), gets.medianP99.toFixed(2)]);
  const table = formatTable(
    ['gets, ms', 'p50', 'p99', `median of the p99s of ${PORTION_SECONDS} s`],
    [...rows, ['after, times before', driftOfP50.toFixed(2), driftOfP99.toFixed(2), ''], ['while space is given back, times normal', '', p99.toFixed(2), medianP99.toFixed(2)]],
  );
  if (!hasMachineChanged) return table;
  return `${table}\n\nTHE MACHINE CHANGED WITHIN THE RUN: the p99 after it was ${driftOfP99.toFixed(2)} times that before it, so the comparison says little.`;
}
