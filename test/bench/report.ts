import type { CampaignResult } from './campaign.ts';
import type { Contestant } from './contestants.ts';
import type { WriteCounter } from './disk-usage.ts';
import type { Environment } from './environment.ts';
import { connectionsOf, itemsOf, memoryOf } from './groups.ts';
import { type BenchOptions, MEMORY_MB } from './options.ts';
import { writeRestarts } from './restart.ts';
import { summarize, type SummaryRow } from './summary.ts';
import { formatTable } from './table.ts';
import type { Workload } from './workloads.ts';

/** Fewer clock ticks than this make a figure of CPU time wrong by several percent. */
const FEW_TICKS = 50;
/** An open load that is sent later than this says less about the server. */
const MUCH_LATE_US = 2000;
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
      `- Bytes written: ${WRITE_COUNTERS[result.writeCounter]}`,
      ...contestants.map(({ name, about }) => `- ${name}: ${about}; version ${result.versions.get(name) ?? 'unknown'}`),
    ].join('\n'),
  ];
  for (const workload of options.workloads) {
    const head = [`### ${workload.name}: ${workload.title}`, '', ...writeParticulars(workload, options)];
    const rows = summarize(result.measurements.filter((one) => one.workload === workload.name), servers, reference);
    if (rows.length > 0) parts.push([...head, writeTable(rows), ...writeNotes(rows)].join('\n'));
    if (workload.isRestart === true && result.restarts.length > 0) parts.push([...head, writeRestarts(result.restarts, servers, reference)].join('\n'));
  }
  if (result.skipped.length > 0) parts.push(['### Left out', '', ...result.skipped.map((reason) => `- ${reason}`)].join('\n'));
  if (result.failures.length > 0) parts.push(['### Failures', '', ...result.failures.map((failure) => `- ${failure}`)].join('\n'));
  return `${parts.join('\n\n')}\n`;
}

const WRITE_COUNTERS: Readonly<Record<WriteCounter, string>> = {
  write_bytes: 'write_bytes of /proc/PID/io, what went to the disk',
  wchar: 'wchar of /proc/PID/io, since the kernel does not count what goes to this file system: replies to clients are in it',
  none: 'not told by this kernel',
};

/** What differs from what the head of the report says. */
function writeParticulars(workload: Workload, options: BenchOptions): string[] {
  const items = itemsOf(workload, options);
  const connections = connectionsOf(workload, options);
  const memory = memoryOf(workload, options);
  const { stretch = 1, load } = workload;
  const told = [
    ...(items === options.items || load.mode === 'trace' ? [] : [`${items} items`]),
    ...(connections === options.connections ? [] : [`${connections} connection(s)`]),
    ...(stretch === 1 ? [] : [`${options.seconds * stretch} s`]),
    ...(memory === MEMORY_MB ? [] : [`tugela with -m ${memory}; memcached and redis hold all in memory`]),
  ];
  return told.length === 0 ? [] : [`${told.join(', ')}.`, ''];
}

interface Column {
  readonly head: string;
  readonly cell: (row: SummaryRow) => string;
  /** Left out when no row has anything to show there. */
  readonly isShown?: (rows: readonly SummaryRow[]) => boolean;
}

const COLUMNS: readonly Column[] = [
  { head: 'server', cell: ({ server }) => server },
  { head: 'CPU µs/op', cell: ({ cpuPerOp }) => cpuPerOp.toFixed(1) },
  { head: '× CPU', cell: ({ cpuRatio }) => ratio(cpuRatio) },
  { head: 'ops/s', cell: ({ opsPerSecond }) => opsPerSecond.toFixed(0) },
  { head: '× ops/s', cell: ({ opsRatio }) => ratio(opsRatio) },
  { head: 'p50 µs', cell: ({ p50 }) => p50.toFixed(0) },
  { head: 'p99 µs', cell: ({ p99 }) => p99.toFixed(0) },
  { head: 'p99.9 µs', cell: ({ p999 }) => p999.toFixed(0) },
  { head: 'RSS MiB', cell: ({ rssBytes }) => (rssBytes / MIB).toFixed(0) },
  { head: 'disk MiB', cell: ({ diskBytes }) => (diskBytes / MIB).toFixed(0) },
  { head: 'written B/op', cell: ({ writtenPerOp }) => writtenPerOp?.toFixed(0) ?? '–' },
  {
    head: 'read B/op',
    cell: ({ readPerOp }) => readPerOp?.toFixed(0) ?? '–',
    isShown: (rows) => rows.some(({ readPerOp }) => readPerOp !== undefined && readPerOp >= 1),
  },
  { head: 'generator', cell: ({ generatorCores }) => generatorCores.toFixed(2) },
  { head: 'others', cell: ({ otherCores }) => otherCores.toFixed(2) },
];

function writeTable(rows: readonly SummaryRow[]): string {
  const columns = COLUMNS.filter(({ isShown }) => isShown?.(rows) ?? true);
  return formatTable(
    columns.map(({ head }) => head),
    rows.map((row) => columns.map(({ cell }) => cell(row))),
  );
}

function ratio(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(2);
}

function writeNotes(rows: readonly SummaryRow[]): string[] {
  const notes: string[] = [];
  for (const { server, missShare, fewestTicks, rate, lateP99 } of rows) {
    if (rate !== undefined) notes.push(`${server}: ${rate.toFixed(0)} requests per second were due.`);
    if (lateP99 > MUCH_LATE_US) notes.push(`${server}: the generator sent 1 % of the requests more than ${lateP99.toFixed(0)} µs late, which is part of the latencies.`);
    if (missShare !== undefined && missShare > 0) notes.push(`${server}: ${(100 * missShare).toPrecision(2)} % of the gets were misses.`);
    if (fewestTicks < FEW_TICKS) notes.push(`${server}: CPU time read from only ${fewestTicks} clock ticks; use more --seconds.`);
  }
  return notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)];
}
