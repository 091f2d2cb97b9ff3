import { describe, expect, it } from 'vitest';
import { addWritten, NOTHING_WRITTEN, writtenBetween, writtenIn, writtenTable } from './written.ts';

const stats = new Map([
  ['items', '7'],
  ['level_bytes_written', '1000'],
  ['value_bytes_written', '2000'],
  ['value_gc_bytes_copied', '500'],
  ['compaction_written_mb', '3'],
]);

describe('writtenIn()', () => {
  it('takes what stats storage tells, tables in MiB', () => {
    expect(writtenIn(stats)).toEqual({ log: 1000, segments: 2000, copied: 500, tables: 3 * 1_048_576 });
  });

  it.each([...stats.keys()].slice(1))('fails without %s, rather than to take it for nothing', (name) => {
    expect(() => writtenIn(new Map([...stats].filter(([other]) => other !== name)))).toThrow(name);
  });
});

it('takes the difference of two looks, and adds such up', () => {
  const before = { log: 1, segments: 20, copied: 300, tables: 4000 };
  const after = { log: 3, segments: 60, copied: 700, tables: 9000 };
  const meanwhile = { log: 2, segments: 40, copied: 400, tables: 5000 };
  expect(writtenBetween(before, after)).toEqual(meanwhile);
  expect([before, meanwhile].reduce(addWritten, NOTHING_WRITTEN)).toEqual(after);
});

describe('writtenTable()', () => {
  it('shows bytes per byte stored, and has what was copied in the total once', () => {
    const written = { log: 500_000, segments: 3_000_000, copied: 1_000_000, tables: 250_000 };
    const row = writtenTable('load', [{ name: 'sets', stored: 2_000_000, written }]).split('\n').at(-1);
    expect(row?.split('|').map((cell) => cell.trim())).toEqual(['', 'sets', '2', '0.25', '1.50', '0.50', '0.13', '1.88', '']);
  });

  it('has no figures where nothing was stored', () => {
    const table = writtenTable('load', [{ name: 'sets', stored: 0, written: NOTHING_WRITTEN }]);
    expect(table).toContain('–');
    expect(table).not.toContain('NaN');
  });
});
