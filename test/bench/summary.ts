import type { Measurement } from './measurement.ts';
import { median, medianRatio } from './statistics.ts';

/** The medians of one server in one workload, over all rounds. */
export interface SummaryRow {
  readonly server: string;
  readonly opsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly cpuPerOp: number;
  readonly rssBytes: number;
  readonly diskBytes: number;
  /** Undefined when the kernel does not tell. */
  readonly writtenPerOp: number | undefined;
  readonly readPerOp: number | undefined;
  /** Requests per second of an open load. */
  readonly rate: number | undefined;
  /** Microseconds by which an open load was sent late. */
  readonly lateP99: number;
  readonly generatorCores: number;
  readonly otherCores: number;
  /** Medians of the ratios within a round; undefined without the reference. */
  readonly opsRatio: number | undefined;
  readonly cpuRatio: number | undefined;
  /** Share of the keys asked for that were not there; undefined when nothing was asked for. */
  readonly missShare: number | undefined;
  /** The fewest clock ticks that a figure of CPU time was read from. */
  readonly fewestTicks: number;
}

/** Sums up the measurements of one workload, one row per server in the order of `servers`. */
export function summarize(measurements: readonly Measurement[], servers: readonly string[], reference: string): SummaryRow[] {
  const byRound = (server: string, figure: (measurement: Measurement) => number): (number | undefined)[] => {
    const values: (number | undefined)[] = [];
    for (const measurement of measurements) if (measurement.server === server) values[measurement.round] = figure(measurement);
    return Array.from(values);
  };
  const row = (server: string): SummaryRow => {
    const own = measurements.filter((measurement) => measurement.server === server);
    const middle = (figure: (measurement: Measurement) => number): number => median(own.map(figure));
    const middleIfTold = (figure: (measurement: Measurement) => number | undefined): number | undefined => {
      const told = own.map(figure).filter((value) => value !== undefined);
      return told.length === 0 ? undefined : median(told);
    };
    const ratio = (figure: (measurement: Measurement) => number): number | undefined =>
      medianRatio(byRound(server, figure), byRound(reference, figure));
    const hits = own.reduce((sum, { load }) => sum + load.hits, 0);
    const misses = own.reduce((sum, { load }) => sum + load.misses, 0);
    return {
      server,
      opsPerSecond: middle((measurement) => measurement.opsPerSecond),
      p50: middle(({ load }) => load.p50),
      p99: middle(({ load }) => load.p99),
      p999: middle(({ load }) => load.p999),
      cpuPerOp: middle((measurement) => measurement.cpuPerOp),
      rssBytes: middle((measurement) => measurement.rssBytes),
      diskBytes: middle((measurement) => measurement.diskBytes),
      writtenPerOp: middleIfTold((measurement) => measurement.writtenPerOp),
      readPerOp: middleIfTold((measurement) => measurement.readPerOp),
      rate: middleIfTold((measurement) => measurement.rate),
      lateP99: middle(({ load }) => load.lateP99),
      generatorCores: middle((measurement) => measurement.generatorCores),
      otherCores: middle((measurement) => measurement.otherCores),
      opsRatio: ratio((measurement) => measurement.opsPerSecond),
      cpuRatio: ratio((measurement) => measurement.cpuPerOp),
      missShare: hits + misses === 0 ? undefined : misses / (hits + misses),
      fewestTicks: Math.min(...own.map(({ ticks }) => ticks)),
    };
  };
  return servers.filter((server) => measurements.some((measurement) => measurement.server === server)).map(row);
}
