import { Histogram } from '../load/histogram.ts';
import { median } from '../statistics.ts';
import { formatTable } from '../table.ts';
import { addWritten, NOTHING_WRITTEN, type Written, writtenTable } from '../written.ts';
import { numberOf, type PartContext, type PartResult } from './part.ts';

const NS_PER_US = 1e3;
const US_PER_S = 1e6;
const MB = 1e6;
/** Rows of the table of the course of a load. */
const COURSE_ROWS = 12;

/** What one second showed. */
export interface Sample {
  readonly operations: number;
  /** Microseconds. */
  readonly p99: number;
  /** Seconds by which the oldest entry of the index is overdue. */
  readonly backlog: number;
  readonly indexEntries: number;
  /** Bytes of keys and values that were stored and are not over: those of the load, not of the server's counters. */
  readonly liveBytes: number;
  readonly diskBytes: number;
}

/** One load for a while. */
export interface Stretch {
  readonly samples: readonly Sample[];
  readonly latencies: Histogram;
  /** Bytes of keys and values that were stored, and what was written meanwhile. */
  readonly stored: number;
  readonly written: Written;
  /** Seconds of CPU of the server, of its daemon, of the load generator and of all else, over `seconds`. */
  readonly cpu: { readonly server: number; readonly daemon: number; readonly generator: number; readonly others: number };
  readonly seconds: number;
}

/** What some seconds showed, in a line. */
export function describe(samples: readonly Sample[], second: number): string {
  const { opsPerSecond, p99, backlog, disk, live } = summary(samples);
  return `${second} s: ${opsPerSecond.toFixed(0)} sets/s, p99 ${p99.toFixed(0)} µs, backlog ${backlog} s, live ${(live / MB).toFixed(0)} MB, disk ${disk.toFixed(2)} times that`;
}

interface Summary {
  readonly opsPerSecond: number;
  readonly p99: number;
  readonly backlog: number;
  readonly live: number;
  /** Bytes on disk at most, in times the live data of that moment. */
  readonly disk: number;
  readonly entries: number;
}

function summary(samples: readonly Sample[]): Summary {
  return {
    opsPerSecond: samples.reduce((sum, { operations }) => sum + operations, 0) / samples.length,
    p99: median(samples.map(({ p99 }) => p99)),
    backlog: Math.max(...samples.map(({ backlog }) => backlog)),
    live: median(samples.map(({ liveBytes }) => liveBytes)),
    disk: Math.max(...samples.map(({ diskBytes, liveBytes }) => diskBytes / liveBytes)),
    entries: median(samples.map(({ indexEntries }) => indexEntries)),
  };
}

/** Microseconds that a share of the sets took at most. */
export function percentile({ latencies }: Pick<Stretch, 'latencies'>, share: number): string {
  return (latencies.percentile(share) / NS_PER_US).toFixed(0);
}

/** The tables and bounds. `expiring` has one stretch for each round, and what follows the last of them. */
export function reportSteadyState(given: PartContext['given'], expiring: readonly Stretch[], plain: readonly Stretch[]): PartResult {
  const rounds = plain.map((stretch, round) => {
    const [without, limited] = [summary(stretch.samples), summary(expiring[round]!.samples)];
    const ratio = expiring[round]!.latencies.percentile(0.99) / stretch.latencies.percentile(0.99);
    const row = [without.opsPerSecond.toFixed(0), limited.opsPerSecond.toFixed(0), percentile(stretch, 0.99), percentile(expiring[round]!, 0.99), ratio.toFixed(2), String(limited.backlog), limited.disk.toFixed(2)];
    return { ratio, row: [String(round + 1), ...row] };
  });
  const long = together(expiring.slice(plain.length - 1));
  const size = Math.ceil(long.samples.length / COURSE_ROWS);
  const course = Array.from({ length: Math.ceil(long.samples.length / size) }, (_, index) => {
    const { opsPerSecond, p99, backlog, live, disk, entries } = summary(long.samples.slice(index * size, (index + 1) * size));
    return [`${index * size} s`, opsPerSecond.toFixed(0), p99.toFixed(0), String(backlog), entries.toFixed(0), (live / MB).toFixed(0), disk.toFixed(2)];
  });
  const loads: [name: string, Stretch][] = [['for ever', together(plain)], ['1 to 60 s', together(expiring.slice(0, plain.length))], ['the last', long]];
  const all = summary(expiring.flatMap(({ samples }) => samples));
  return {
    tables: [
      'Rounds: sets and p99 (µs) without and with times to live, next to each other; backlog in s and disk in times the live data, at most.',
      formatTable(['round', 'sets/s without', 'with', 'p99 without', 'with', '×', 'backlog', 'disk'], rounds.map(({ row }) => row)),
      'All rounds, and the last load with times to live: CPU in µs per set, of the server and of its daemon; index entries and live MB, medians.',
      formatTable(
        ['time to live', 's', 'sets/s', 'p50 µs', 'p99 µs', 'p99.9 µs', 'server CPU', 'daemon CPU', 'backlog', 'index entries', 'live MB', 'disk', 'generator', 'others'],
        loads.map(([name, stretch]) => row(name, stretch)),
      ),
      'The course of the last, by the time since all its keys had been in use for a minute:',
      formatTable(['from', 'sets/s', 'p99 µs', 'backlog', 'index entries', 'live MB', 'disk'], course),
      'Bytes written by the server for each byte of key and value stored, over the measured time; what sweeps wrote is in them.',
      writtenTable('time to live', loads.map(([name, { stored, written }]) => ({ name, stored, written }))),
    ],
    bounds: [
      { what: 'seconds that the oldest index entry is overdue', measured: all.backlog, most: numberOf(given, 'backlog') },
      { what: 'disk, in times the live data', measured: all.disk, most: numberOf(given, 'disk') },
      { what: 'p99, in times that without times to live, median of the rounds', measured: median(rounds.map(({ ratio }) => ratio)), most: numberOf(given, 'latency') },
    ],
  };
}

function row(name: string, stretch: Stretch): string[] {
  const { samples, cpu, seconds } = stretch;
  const { opsPerSecond, backlog, live, disk, entries } = summary(samples);
  const operations = samples.reduce((sum, sample) => sum + sample.operations, 0);
  const perSet = (cpuSeconds: number): string => ((cpuSeconds * US_PER_S) / operations).toFixed(1);
  return [
    name,
    String(samples.length),
    opsPerSecond.toFixed(0),
    percentile(stretch, 0.5),
    percentile(stretch, 0.99),
    percentile(stretch, 0.999),
    perSet(cpu.server),
    perSet(cpu.daemon),
    String(backlog),
    entries.toFixed(0),
    (live / MB).toFixed(0),
    disk.toFixed(2),
    (cpu.generator / seconds).toFixed(2),
    (cpu.others / seconds).toFixed(2),
  ];
}

function together(stretches: readonly Stretch[]): Stretch {
  const latencies = new Histogram();
  for (const each of stretches) latencies.add(each.latencies.counts());
  const sum = (figure: (stretch: Stretch) => number): number => stretches.reduce((total, stretch) => total + figure(stretch), 0);
  return {
    samples: stretches.flatMap(({ samples }) => samples),
    latencies,
    stored: sum(({ stored }) => stored),
    written: stretches.map(({ written }) => written).reduce(addWritten, NOTHING_WRITTEN),
    cpu: { server: sum(({ cpu }) => cpu.server), daemon: sum(({ cpu }) => cpu.daemon), generator: sum(({ cpu }) => cpu.generator), others: sum(({ cpu }) => cpu.others) },
    seconds: sum(({ seconds }) => seconds),
  };
}
