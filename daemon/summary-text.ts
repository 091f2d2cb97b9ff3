import type { SweepSummary } from './stats.ts';

/** A summary in a few aligned lines, for people. */
export function formatSummary(summary: SweepSummary, dryRun: boolean): string {
  const verb = dryRun ? 'would be ' : '';
  const lines: readonly (readonly [string, string])[] = [
    ['scanned', `${summary.scanned} entries`],
    ['expired', `${summary.expired} items ${verb}deleted`],
    ['removed', `${summary.removed} items ${verb}deleted by age or prefix`],
    ['evicted', `${summary.evicted} items ${verb}evicted to stay below limit and quotas`],
    ['reclaimed', `${formatBytes(summary.bytes)}${dryRun ? ' at most' : ''}`],
    ['stale', `${summary.stale} index entries ${dryRun ? 'no longer apply' : 'dropped'}`],
    ['changed', `${summary.changed} items left alone, stored anew meanwhile`],
    ['took', `${(summary.durationMs / 1000).toFixed(3)} s, ${Math.round(summary.rate)} entries/s`],
    ['left', `${summary.indexEntries} index entries, oldest overdue ${summary.lagSeconds} s`],
  ];
  const text = lines.map(([name, value]) => `${`${name}:`.padEnd(11)}${value}\n`).join('');
  return summary.interrupted ? `${text}interrupted before the end\n` : text;
}

/** A summary as one JSON object on one line. */
export function summaryJson(summary: SweepSummary, dryRun: boolean): string {
  const durationMs = Math.round(summary.durationMs * 1000) / 1000;
  return `${JSON.stringify({ dryRun, ...summary, durationMs, rate: Math.round(summary.rate) })}\n`;
}

function formatBytes(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}
