import { describe, expect, it } from 'vitest';
import { parseOptions } from '../options.ts';
import type { ContestGroup } from './contest.ts';
import { measureContests } from './measure.ts';
import { writeMicroReport } from './micro-report.ts';
import { parsingGroup } from './parsing.ts';
import { rememberingGroup } from './remembering.ts';
import { samplingGroup } from './sampling.ts';
import { splittingGroup } from './splitting.ts';
import { bucketGroup, checksumGroup, orderGroup, storingGroup } from './storing.ts';
import { writingGroup } from './writing.ts';

const environment = { date: '2026-11-21', machine: 'a machine', node: 'v20', command: 'npm run bench -- --micro' };

function group(passes: Record<string, () => number>, showsExtra = false): ContestGroup {
  const contest = { name: 'contest', count: 2, bytes: 10, passes: new Map(Object.entries(passes)) };
  return { title: 'Group', contestants: ['a', 'b'], references: ['b'], showsExtra, contests: [contest] };
}

describe('parseOptions() with --micro', () => {
  it('has more and shorter rounds', () => {
    expect(parseOptions(['--micro'])).toMatchObject({ micro: true, rounds: 25, seconds: 0.02 });
    expect(parseOptions([])).toMatchObject({ micro: false, rounds: 3, seconds: 2 });
    expect(parseOptions(['--micro', '--rounds', '3', '--seconds', '1'])).toMatchObject({ rounds: 3, seconds: 1 });
  });
});

describe.each([
  ['parsing', parsingGroup],
  ['splitting', splittingGroup],
  ['writing', writingGroup],
  ['storing', storingGroup],
  ['checksums', checksumGroup],
  ['order', orderGroup],
  ['buckets', bucketGroup],
  ['remembering', rememberingGroup],
  ['sampling', samplingGroup],
])('the group of %s', (_what, make) => {
  it('has contestants that agree with each other, all in each contest', () => {
    const { contests, contestants, references } = make();
    for (const { passes } of contests) expect([...passes.keys()]).toEqual(contestants);
    expect(contestants).toEqual(expect.arrayContaining([...references]));
  });
});

describe('measureContests()', () => {
  it('measures each contestant once in each round', () => {
    const { contests } = group({ a: () => 1, b: () => 2 });
    const nanos = measureContests(contests, 3, 0.001).get(contests[0]!);
    expect([...nanos!].map(([name, all]) => [name, all.length])).toEqual([['a', 3], ['b', 3]]);
  });

  it('takes a result whose sum is more than a number can hold to the last digit', () => {
    const { contests } = group({ a: () => 2 ** 51 + 3 });
    expect(measureContests(contests, 1, 0.001).size).toBe(1);
  });

  it('refuses a contestant whose results change', () => {
    let calls = 0;
    expect(() => measureContests(group({ a: () => calls++ }).contests, 1, 0.001)).toThrow('a came to another result');
  });
});

describe('writeMicroReport()', () => {
  it('has medians, ratios within the rounds, and what the first takes longer where asked for', () => {
    const one = group({ a: () => 1, b: () => 1 }, true);
    const measured = new Map([[one.contests[0]!, new Map([['a', [20, 300, 40]], ['b', [10, 100, 10]]])]]);
    const report = writeMicroReport([one], measured, environment, 3, 0.02);
    expect(report).toContain('### Group\n\n|         | bytes |  a |  b |  × b | − b |\n| ------- | ----: | -: | -: | ---: | --: |\n| contest |    10 | 40 | 10 | 3.00 |  30 |\n');
  });
});
