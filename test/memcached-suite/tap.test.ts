import { describe, expect, it } from 'vitest';
import { TapReader } from './tap.ts';

function read(...lines: readonly string[]): TapReader {
  const tap = new TapReader();
  for (const line of lines) tap.read(line);
  return tap;
}

describe('TapReader', () => {
  it('counts subtests against the plan, wherever the plan is', () => {
    expect(read('1..2', 'ok 1 - a', 'ok 2')).toMatchObject({ planned: 2, seen: 2, passed: 2, failed: [] });
    expect(read('ok 1', '1..1')).toMatchObject({ planned: 1, seen: 1 });
    expect(read('ok 1')).toMatchObject({ planned: undefined, seen: 1 });
  });

  it('knows a subtest that failed by its number and title', () => {
    expect(read('ok 1', 'not ok 2 - what it is', 'not ok 3')).toMatchObject({
      passed: 1,
      failed: [
        { number: 2, title: 'what it is' },
        { number: 3, title: '' },
      ],
    });
  });

  it('counts where the file gives no numbers', () => {
    expect(read('ok', 'not ok').failed).toEqual([{ number: 2, title: '' }]);
  });

  it('takes a skipped subtest as passed, and says that it was skipped', () => {
    expect(read('ok 1 # skip no such thing', 'ok 2')).toMatchObject({ seen: 2, passed: 2, skipped: 1 });
  });

  it('takes a failure that is marked todo as passed', () => {
    expect(read('not ok 1 - later # todo not yet')).toMatchObject({ passed: 1, failed: [] });
  });

  it(String.raw`reads \# as part of the title`, () => {
    expect(read(String.raw`not ok 1 - a \# skip b`)).toMatchObject({ skipped: 0, failed: [{ title: String.raw`a \# skip b` }] });
  });

  it('knows why a file runs nothing or gives up', () => {
    expect(read('1..0 # SKIP no TLS').skipReason).toBe('no TLS');
    expect(read('Bail out!  no server').bailReason).toBe('no server');
  });

  it('ignores everything else', () => {
    expect(read('# ok 1', '    ok 1 - nested', 'okay', '', 'STAT ok 1')).toMatchObject({ seen: 0, planned: undefined });
  });
});
