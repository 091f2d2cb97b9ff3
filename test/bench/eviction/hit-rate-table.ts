import type { Outcome } from './policy.ts';

/** One workload in a cache of one size. */
export interface Measurement {
  readonly workload: string;
  /** Share of the footprint. */
  readonly share: number;
  /** By the policy's name. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** A table of hit rates in per cent, a column for each of `names`; behind × what those of `withWrites` wrote. */
export function hitRateTable(names: readonly string[], measured: readonly Measurement[], withWrites: readonly string[]): string {
  const rows = measured.map(({ workload, share, outcomes }) => {
    const cells = names.map((name) => cellOf(outcomes[name], withWrites.includes(name)));
    return `| ${workload} | ${Math.round(share * 100)} % | ${cells.join(' | ')} |`;
  });
  return [`| workload | size | ${names.join(' | ')} |`, `|---|--:|${'--:|'.repeat(names.length)}`, ...rows].join('\n');
}

function cellOf(outcome: Outcome | undefined, withWrites: boolean): string {
  if (outcome === undefined) return '–';
  const rate = (outcome.hitRate * 100).toFixed(1);
  return withWrites ? `${rate} × ${outcome.writes.toFixed(2)}` : rate;
}
