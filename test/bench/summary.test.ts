import { describe, expect, it } from 'vitest';
import type { Measurement } from './measurement.ts';
import { summarize } from './summary.ts';

function measured(server: string, round: number, cpuPerOp: number, misses = 0): Measurement {
  return {
    workload: 'get-1k',
    server,
    round,
    load: { operations: 10, seconds: 1, hits: 10 - misses, misses, stored: 0, wrong: 0, firstWrong: undefined, p50: 1, p99: 2, p999: 3, lateP99: 0, cpuSeconds: 1 },
    rate: undefined,
    opsPerSecond: 10,
    cpuPerOp,
    cpuPerOpUntilAnswered: cpuPerOp,
    ticks: 100 - round,
    rssBytes: 1,
    diskBytes: 1000 * (round + 1),
    writtenPerOp: round === 1 ? undefined : 7 + round,
    readPerOp: undefined,
    generatorCores: 1,
    otherCores: 0,
  };
}

describe('summarize()', () => {
  it('takes medians, and ratios to the reference within each round', () => {
    const measurements = [measured('a', 0, 20), measured('r', 0, 10), measured('r', 1, 100), measured('a', 1, 300), measured('a', 2, 40), measured('r', 2, 10)];
    const [a, r] = summarize(measurements, ['a', 'r'], 'r');
    expect(a).toMatchObject({ server: 'a', cpuPerOp: 40, cpuRatio: 3, opsRatio: 1, fewestTicks: 98, missShare: 0 });
    expect(r).toMatchObject({ server: 'r', cpuPerOp: 10, cpuRatio: 1 });
  });

  it('bears rounds that a server missed, and an absent reference', () => {
    expect(summarize([measured('a', 1, 30)], ['a', 'b'], 'r')).toMatchObject([{ server: 'a', cpuPerOp: 30, cpuRatio: undefined }]);
  });

  it('takes medians of what was told, and nothing of what never was', () => {
    const [row] = summarize([measured('a', 0, 1), measured('a', 1, 1), measured('a', 2, 1)], ['a'], 'a');
    expect(row).toMatchObject({ writtenPerOp: 8, readPerOp: undefined, rate: undefined, diskBytes: 2000 });
  });

  it('tells the share of misses', () => {
    expect(summarize([measured('a', 0, 1, 4)], ['a'], 'a')[0]?.missShare).toBe(0.4);
  });
});
