import { describe, expect, it } from 'vitest';
import type { SuiteRun } from './lists.ts';
import { TapReader } from './tap.ts';
import { type Ending, judge } from './verdict.ts';

const whole: SuiteRun = { file: 'a.t' };

function complaints(run: SuiteRun, ending: Partial<Ending>, ...lines: readonly string[]): readonly string[] {
  const tap = new TapReader();
  for (const line of lines) tap.read(line);
  const verdict = judge(run, tap, { status: 0, cut: undefined, ...ending });
  expect(verdict.passed).toBe(verdict.complaints.length === 0);
  return verdict.complaints;
}

describe('judge()', () => {
  it('has no complaints when all that was planned passed', () => {
    expect(complaints(whole, {}, '1..2', 'ok 1', 'ok 2')).toEqual([]);
  });

  it('names the subtests that failed', () => {
    expect(complaints(whole, { status: 1 }, '1..2', 'ok 1', 'not ok 2 - it works')).toEqual(['not ok 2 it works']);
  });

  it.each([
    ['too few subtests', {}, ['1..2', 'ok 1'], 'ran 1 subtests of 2'],
    ['no plan', {}, ['ok 1'], 'ran 1 subtests of an unknown number'],
    ['a status that subtests do not explain', { status: 255 }, ['1..1', 'ok 1'], 'ended with status 255'],
    ['a signal', { status: undefined }, ['1..1', 'ok 1'], 'was ended by a signal'],
    ['a file that skips itself', {}, ['1..0 # SKIP no TLS'], 'skipped itself: no TLS'],
    ['a file that gives up', { status: 0 }, ['1..0', 'Bail out! no server'], 'gave up: no server'],
    ['the time limit', { status: undefined, cut: 'limit' }, ['1..2', 'ok 1'], 'took too long and was ended'],
  ] as const)('complains of %s', (_what, ending, lines, complaint) => {
    expect(complaints(whole, ending, ...lines)).toContain(complaint);
  });

  it('lets only those subtests fail that may', () => {
    const run: SuiteRun = { file: 'a.t', part: { why: 'of its own', mayFail: [1, 2] } };
    expect(complaints(run, { status: 1 }, '1..3', 'not ok 1', 'ok 2', 'ok 3')).toEqual([]);
    expect(complaints(run, { status: 2 }, '1..3', 'not ok 1', 'ok 2', 'not ok 3')).toEqual(['not ok 3']);
  });

  it('asks no more of a file that was ended when what applies was through', () => {
    const run: SuiteRun = { file: 'a.t', part: { why: 'of its own', stopAfter: 2 } };
    expect(complaints(run, { status: undefined, cut: 'enough' }, 'ok 1', 'ok 2')).toEqual([]);
    expect(complaints(run, { status: undefined, cut: 'enough' }, 'ok 1', 'not ok 2')).toEqual(['not ok 2']);
    expect(complaints(run, { status: 255 }, 'ok 1')).not.toEqual([]);
  });
});
