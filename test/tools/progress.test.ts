import { expect, it } from 'vitest';
import { formatAmount } from '../../src/tools/amounts.ts';
import { Progress } from '../../src/tools/progress.ts';

/** Back to the beginning of the line, and nothing behind it. */
const WIPE = '\r\u001B[K';

it('progress is one line on a terminal, wiped at the end', () => {
  const written: string[] = [];
  const progress = new Progress({ isTTY: true, write: (text) => written.push(text) }, 'dumping', 200);
  progress.show(50, 2_000_000);
  progress.show(51, 2_000_000);
  progress.end();
  expect(written).toEqual([expect.stringMatching(/dumping: 50 items \(25 %\), 2\.0 MB, \d+ items\/s, [\d.]+ [kMGT]?B\/s$/), WIPE]);
  expect(written[0]?.startsWith(WIPE)).toBe(true);
});

it('progress is told at once, in other words than items too', () => {
  const written: string[] = [];
  const progress = new Progress({ isTTY: true, write: (text) => written.push(text) }, 'compacting');
  progress.tell('2.0 MB on disk');
  progress.tell('1.0 MB on disk');
  progress.end();
  expect(written).toEqual([`${WIPE}compacting: 2.0 MB on disk`, WIPE]);
});

it('progress is silent elsewhere', () => {
  const progress = new Progress({ write: () => expect.fail('written') }, 'dumping');
  progress.show(1, 1);
  progress.end();
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1500, '1.5 kB'],
  [2.5e12, '2.5 TB'],
  [5e15, '5000.0 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatAmount(bytes)).toBe(text);
});
