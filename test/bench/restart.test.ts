import { expect, it } from 'vitest';
import { type Ending, type RestartMeasurement, writeRestarts } from './restart.ts';

function restarted(server: string, round: number, ending: Ending, firstHitMs: number): RestartMeasurement {
  return { server, round, ending, firstHitMs };
}

it('shows medians, the longest, and ratios within the rounds', () => {
  const all = [restarted('a', 0, 'SIGTERM', 20), restarted('b', 0, 'SIGTERM', 10), restarted('a', 1, 'SIGTERM', 90), restarted('b', 1, 'SIGTERM', 90), restarted('a', 0, 'SIGKILL', 50)];
  const rows = writeRestarts(all, ['a', 'b', 'c'], 'b').split('\n').slice(2).map((row) => row.split('|').map((cell) => cell.trim()).slice(1, -1));
  expect(rows).toEqual([
    ['a', 'SIGTERM', '55', '90', '1.50'],
    ['a', 'SIGKILL', '50', '50', '–'],
    ['b', 'SIGTERM', '50', '90', '1.00'],
  ]);
});
