import { describe, expect, it } from 'vitest';
import { sweeperOn, touchSession } from '../bench/expiry/simulated-time.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const never = new AbortController().signal;
/** As ttl-bucket.ts has it: no bucket is narrower than a 256th of the time to live. */
const MOST_ENTRIES = 257;
const HOUR = 3600;

/** Rows of the index, whenever they are due, and the keys that they list. */
async function index(open: OpenCache): Promise<{ rows: number; entries: number }> {
  await open.store.inLevel();
  const { rows } = await open.store.dueRows(0xfffffffe, 1_000_000);
  return { rows: rows.length, entries: rows.reduce((sum, row) => sum + row.entries, 0) };
}

describe('the index rows of one key', () => {
  it('are bounded however often it is touched, and gone when its life is over', async () => {
    const open = await OpenCache.open(tempDirectory());
    const cost = await touchSession(open, { timeToLive: 600, seconds: 1300, touchesPerSecond: 20 });
    expect(cost.mostEntries).toBeGreaterThan(100);
    expect(cost.mostEntries).toBeLessThanOrEqual(MOST_ENTRIES);
    // A touch within the second of the last one writes nothing.
    expect(cost.commitsPerTouch).toBeLessThan(0.1);
    expect(cost).toMatchObject({ entriesLeft: 0, itemsLeft: 0 });
    expect(await index(open)).toEqual({ rows: 0, entries: 0 });
    await open.close();
    expect((await checkStore(open.directory)).items.size).toBe(0);
  });

  it.each<[string, (open: OpenCache, i: number) => Promise<unknown>]>([
    ['overwritten', async (open, i) => open.set('k', bytesOf(i % 2 === 0 ? 10 : 400, i), HOUR)],
    ['deleted and stored again', async (open) => open.delete('k').then(() => open.set('k', bytesOf(10, 1), HOUR))],
    ['given one time to live and another', async (open, i) => open.touch('k', i % 2 === 0 ? HOUR : 2 * HOUR)],
    ['made to stay and to expire', async (open, i) => open.touch('k', i % 2 === 0 ? 0 : HOUR)],
  ])('are few when it is %s, whether or not that is committed in between', async (_how, change) => {
    for (const everyCommits of [1, 10]) {
      const open = await OpenCache.open(tempDirectory());
      await open.set('k', bytesOf(10, 0), HOUR);
      for (let i = 1; i <= 300; i++) {
        await change(open, i);
        if (i % everyCommits === 0) await open.store.inLevel();
      }
      expect((await index(open)).entries).toBeLessThanOrEqual(2);
      open.clock.advance(3 * HOUR);
      await sweeperOn(open).sweepOnce(never);
      expect(await index(open)).toEqual({ rows: 0, entries: 0 });
      expect(open.store.state.indexEntries).toBe(0);
      await open.close();
      await checkStore(open.directory);
    }
  });

  it('are gone when the last deadline is over, whatever was done to it', async () => {
    const open = await OpenCache.open(tempDirectory());
    for (let i = 0; i < 2000; i++) {
      const key = `k${i % 50}`;
      if (i % 7 === 0) await open.delete(key);
      else if (i % 3 === 0) await open.touch(key, 1 + ((i * 37) % 5000));
      else await open.set(key, bytesOf(i % 500, i), 1 + ((i * 91) % 5000));
      if (i % 40 === 0) {
        open.clock.advance(7);
        await sweeperOn(open).sweepOnce(never);
      }
    }
    await open.store.inLevel();
    open.clock.advance(6000);
    await sweeperOn(open).sweepOnce(never);
    expect(await index(open)).toEqual({ rows: 0, entries: 0 });
    expect(open.store.state).toMatchObject({ indexEntries: 0, items: 0 });
    await open.close();
    await checkStore(open.directory);
  });

  it('keep an item listed whose clock was set back behind what was swept', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('k', bytesOf(10, 1), 100);
    await open.delete('k');
    open.clock.advance(200);
    await sweeperOn(open).sweepOnce(never);
    open.clock.advance(-200);
    await open.set('k', bytesOf(10, 2), 100);
    expect((await index(open)).entries).toBe(1);
    open.clock.advance(200);
    await sweeperOn(open).sweepOnce(never);
    expect(open.store.state).toMatchObject({ indexEntries: 0, items: 0 });
    await open.close();
    await checkStore(open.directory);
  });
});
