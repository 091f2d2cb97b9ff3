import { expect, it } from 'vitest';
import { LifeTable } from './life-table.ts';

it('counts what was sent and is not over', () => {
  const lives = new LifeTable(5);
  lives.sent(0, 0, 10_000);
  lives.sent(1, 5, 10_000);
  lives.sent(2, 5, 10_999);
  lives.sent(3, 6, 10_000);
  expect(lives.alive(10_000)).toBe(4);
  expect(lives.alive(14_999)).toBe(4);
  expect(lives.alive(15_000)).toBe(2);
  expect(lives.alive(16_000)).toBe(1);
  lives.sent(0, 1, 16_000);
  expect(lives.alive(17_000)).toBe(0);
});
