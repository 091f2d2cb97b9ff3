import { formatTable } from './table.ts';

/** A figure that must not exceed another. */
export interface Bound {
  readonly what: string;
  readonly measured: number;
  readonly most: number;
}

/** A figure that could not be had (NaN) meets nothing. */
export function isMet({ measured, most }: Bound): boolean {
  return measured <= most;
}

/** What was measured, and whether it is as it must be, in Markdown. */
export function formatBounds(bounds: readonly Bound[]): string {
  return formatTable(
    ['bound', 'measured', 'at most', 'met'],
    bounds.map((bound) => [bound.what, bound.measured.toFixed(2), String(bound.most), isMet(bound) ? 'yes' : 'NO']),
  );
}
