/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/**
 * The median of `values[i] / reference[i]`, where index i is a round: what slows a whole round down cancels out.
 * Rounds that either of them missed (undefined) do not count; without any it is undefined.
 */
export function medianRatio(values: readonly (number | undefined)[], reference: readonly (number | undefined)[]): number | undefined {
  const ratios: number[] = [];
  for (const [round, value] of values.entries()) {
    const base = reference[round];
    if (value !== undefined && base !== undefined && base > 0) ratios.push(value / base);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The order of a round: everyone once, each round beginning one further (A B C, B C A, C A B). */
export function roundOrder<T>(all: readonly T[], round: number): T[] {
  const first = all.length === 0 ? 0 : round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
