import type { CampaignResult } from './campaign.ts';
import type { Contestant } from './contestants.ts';
import type { Environment } from './environment.ts';
import type { BenchOptions } from './options.ts';
import { summarize, type SummaryRow } from './summary.ts';
import { formatTable } from './table.ts';

/** Fewer clock ticks than this make a figure of CPU time wrong by several percent. */
const FEW_TICKS = 50;
const MIB = 2 ** 20;

/** The whole report, in Markdown that reads well as plain text too. */
export function writeReport(options: BenchOptions, contestants: readonly Contestant[], environment: Environment, result: CampaignResult): string {
  const servers = contestants.map(({ name }) => name);
  const { rounds, seconds, connections, items, reference } = options;
  const parts = [
    [
      `- Command: \`${environment.command}\``,
      `- Date: ${environment.date}`,
      `- Machine: ${environment.machine}`,
      `- Node: ${environment.node}`,
      `- Load: ${connections} connections, ${items} items; medians of ${rounds} interleaved round(s) of ${seconds} s; ratios to ${reference}`,
      ...contestants.map(({ name, about }) => `- ${name}: ${about}; version ${result.versions.get(name) ?? 'unknown'}`),
    ].join('\n'),
  ];
  for (const { name, title } of options.workloads) {
    const rows = summarize(result.measurements.filter(({ workload }) => workload === name), servers, reference);
    if (rows.length > 0) parts.push([`### ${name}: ${title}`, '', writeTable(rows), ...writeNotes(rows)].join('\n'));
  }
  if (result.failures.length > 0) parts.push(['### Failures', '', ...result.failures.map((failure) => `- ${failure}`)].join('\n'));
  return `${parts.join('\n\n')}\n`;
}

const HEAD = ['server', 'CPU µs/op', '× CPU', 'ops/s', '× ops/s', 'p50 µs', 'p99 µs', 'p99.9 µs', 'RSS MiB', 'generator', 'others'];

function writeTable(rows: readonly SummaryRow[]): string {
  const cells = rows.map((row) => [
    row.server,
    row.cpuPerOp.toFixed(1),
    ratio(row.cpuRatio),
    row.opsPerSecond.toFixed(0),
    ratio(row.opsRatio),
    ...[row.p50, row.p99, row.p999].map((micros) => micros.toFixed(0)),
    (row.rssBytes / MIB).toFixed(0),
    row.generatorCores.toFixed(2),
    row.otherCores.toFixed(2),
  ]);
  return formatTable(HEAD, cells);
}

function ratio(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(2);
}

function writeNotes(rows: readonly SummaryRow[]): string[] {
  const notes: string[] = [];
  for (const { server, missShare, fewestTicks } of rows) {
    if (missShare !== undefined && missShare > 0) notes.push(`${server}: ${(100 * missShare).toPrecision(2)} % of the gets were misses.`);
    if (fewestTicks < FEW_TICKS) notes.push(`${server}: CPU time read from only ${fewestTicks} clock ticks; use more --seconds.`);
  }
  return notes.length === 0 ? [] : ['', ...notes];
}
