import { describe, expect, it } from 'vitest';
import { TurnQueue } from '../../src/server/turn-queue.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('TurnQueue', () => {
  it('gives turns in the order in which they were asked for', async () => {
    const turns = new TurnQueue();
    const seen: number[] = [];
    for (const i of [1, 2, 3]) turns.wait(() => seen.push(i));
    await nextTurn();
    expect(seen).toEqual([1, 2, 3]);
  });

  it('is crowded while more wait than there is time for at once', async () => {
    const turns = new TurnQueue();
    for (let i = 0; i < 8; i++) turns.wait(() => undefined);
    expect(turns.isCrowded).toBe(false);
    turns.wait(() => undefined);
    expect(turns.isCrowded).toBe(true);
    await nextTurn();
    expect(turns.isCrowded).toBe(false);
  });

  it('is spent when half a megabyte of large values was sent in one turn of the event loop, until the next', async () => {
    const turns = new TurnQueue();
    for (let i = 0; i < 3; i++) {
      turns.spend(300_000);
      expect(turns.isSpent).toBe(false);
      turns.spend(300_000);
      expect(turns.isSpent).toBe(true);
      await nextTurn();
      expect(turns.isSpent).toBe(false);
    }
  });
});
