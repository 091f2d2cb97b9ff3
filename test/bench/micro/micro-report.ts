import type { Environment } from '../environment.ts';
import { median, medianRatio } from '../statistics.ts';
import type { Contest, ContestGroup } from './contest.ts';
import type { Nanos } from './measure.ts';

const ABOUT = [
  '- tugela: the parsers and reply writers of the server, alone: no socket, no cache, no store. Requests of one kind lie back to back in 64 KiB, as they are read; data blocks are stepped over',
  '- tugela below that: the formats on disk written and read in memory, the RAM tier and what goes with it, without LevelDB and without the event loop',
  '- floor: the least that must be done. Of a line, finding its LF byte by byte and comparing the command word; of a packet, reading opcode and length; of a reply, a row or a record, copying one that is ready; of a bucket, one division',
  "- naive: what one would write at first: `indexOf(10)`, `toString('latin1')`, `split(' ')`, `Number()`; `readUInt32BE` and the like for packets; a template string or a new buffer for replies; a Map by string for what is in memory",
  '- joined: a request that comes in two reads: the first half is parsed in vain and copied, the second joined to it, and all of it parsed; parsed twice: the same without the copies; whole: in one read, by itself',
  '- looked at, passed over: what a command whose keys are all sampled costs, and one that is not while sampling is on; off: nobody has asked for hot keys',
];

/** The report of the micro benchmarks, in Markdown. */
export function writeMicroReport(groups: readonly ContestGroup[], measured: ReadonlyMap<Contest, Nanos>, environment: Environment, rounds: number, seconds: number): string {
  const head = [
    `- Command: \`${environment.command}\``,
    `- Date: ${environment.date}`,
    `- Machine: ${environment.machine}`,
    `- Node: ${environment.node}`,
    `- Medians of ${rounds} interleaved round(s) of ${seconds * 1000} ms; ratios (×) are medians of those within a round`,
    ...ABOUT,
  ].join('\n');
  return `${[head, ...groups.map((group) => `### ${group.title}\n\n${writeGroup(group, measured)}`)].join('\n\n')}\n`;
}

function writeGroup({ contestants, references, showsExtra, contests }: ContestGroup, measured: ReadonlyMap<Contest, Nanos>): string {
  const first = contestants[0] ?? '';
  const rows = contests.map((contest) => {
    const nanos = (name: string): readonly number[] => measured.get(contest)?.get(name) ?? [];
    return [
      contest.name,
      contest.bytes.toFixed(0),
      ...contestants.map((name) => median(nanos(name)).toFixed(0)),
      ...references.map((name) => medianRatio(nanos(first), nanos(name))?.toFixed(2) ?? '–'),
      ...(showsExtra ? references.map((name) => (median(nanos(first)) - median(nanos(name))).toFixed(0)) : []),
    ];
  });
  return writeTable(['', 'bytes', ...contestants, ...references.map((name) => `× ${name}`), ...(showsExtra ? references.map((name) => `− ${name}`) : [])], rows);
}

function writeTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const write = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [write(head), rule, ...rows.map(write)].join('\n');
}
