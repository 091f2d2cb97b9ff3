import { describe, expect, it } from 'vitest';
import { FlushReclaim } from '../../src/upkeep/flush-reclaim.ts';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const MB = 2 ** 20;
const never = new AbortController().signal;

describe('FlushReclaim', () => {
  it('empties the store of all that was flushed, and of nothing else', async () => {
    const open = await OpenCache.open(tempDirectory());
    for (let i = 0; i < 700; i++) await open.set(`k${i}`, bytesOf(i, i), i % 3 === 0 ? 100 : 0);
    await open.store.committed();
    open.cache.flushAll(0);
    await open.set('k5', bytesOf(5, 99));
    const reclaim = new FlushReclaim(open.residency, open.store);
    expect(reclaim.isNeeded).toBe(true);
    await reclaim.run(never);
    expect(reclaim.isNeeded).toBe(false);
    expect(open.store.state.items).toBe(1);
    expect(await open.get('k5')).toEqual(bytesOf(5, 99));
    await open.close();
    expect([...(await checkStore(open.directory)).items.keys()]).toEqual(['k5']);
  });

  it('finds items that were still on their way to the disk when they were flushed', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('k', bytesOf(10, 1));
    open.cache.flushAll(0);
    await new FlushReclaim(open.residency, open.store).run(never);
    expect(open.store.state.items).toBe(0);
    await open.close();
    await checkStore(open.directory);
  });

  it('goes on after an interruption and a new opening', async () => {
    const open = await OpenCache.open(tempDirectory());
    for (let i = 0; i < 600; i++) await open.set(`k${i}`, bytesOf(10, i));
    await open.store.committed();
    open.cache.flushAll(0);
    const abort = new AbortController();
    const interrupted = new FlushReclaim(open.residency, open.store);
    const running = interrupted.run(abort.signal);
    while (interrupted.deleted === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    await running;
    expect(interrupted.isNeeded).toBe(true);
    await open.close();
    await checkStore(open.directory);
    await open.reopen();
    expect(open.store.state.items).toBeGreaterThan(0);
    await new FlushReclaim(open.residency, open.store).run(never);
    expect(open.store.state.items).toBe(0);
    await open.close();
    await checkStore(open.directory);
  });
});

describe('ValueCollector', () => {
  const now = (open: OpenCache) => (): number => open.clock.now();

  /** Fills some segments with values, most of which are then replaced. */
  async function fill(open: OpenCache, staged: number): Promise<void> {
    for (let i = 0; i < 170; i++) {
      await open.set(i % 10 === 0 ? `kept ${i}` : 'again', bytesOf(0.9 * MB, i));
      if (i % staged === 0) await open.store.committed();
    }
    await open.store.committed();
  }

  it.each([
    ['written one by one', 1],
    ['replaced before they were written', 7],
  ])('gives the disk back after many overwrites, values %s', async (_how, staged) => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await fill(open, staged);
    const before = open.store.values.stats().bytes;
    const collector = new ValueCollector(open.residency, open.store);
    await collector.run(now(open), never);
    await open.store.sync();
    expect(before).toBeGreaterThan(150 * MB);
    expect(open.store.values.stats().bytes).toBeLessThan(120 * MB);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    for (let i = 0; i < 170; i += 50) expect((await open.get(`kept ${i}`))!.equals(bytesOf(0.9 * MB, i))).toBe(true);
    await open.close();
    await checkStore(open.directory);
  });

  it('moves no value that changes while it works', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await fill(open, 4);
    const collector = new ValueCollector(open.residency, open.store);
    const running = collector.run(now(open), never);
    for (let i = 0; i < 150; i += 30) {
      await open.set(`kept ${i}`, bytesOf(3000, i + 1));
      await open.touch(`kept ${i + 10 < 170 ? i + 10 : 0}`, 1000);
      await open.delete(`kept ${i + 20}`);
    }
    await running;
    for (let i = 0; i < 150; i += 30) {
      expect((await open.get(`kept ${i}`))!.equals(bytesOf(3000, i + 1))).toBe(true);
      expect((await open.get(`kept ${i + 10}`))!.equals(bytesOf(0.9 * MB, i + 10))).toBe(true);
      expect(await open.get(`kept ${i + 20}`)).toBeUndefined();
    }
    await open.close();
    await checkStore(open.directory);
  });
});
