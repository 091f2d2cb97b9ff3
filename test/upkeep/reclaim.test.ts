import { describe, expect, it, vi } from 'vitest';
import { FlushReclaim } from '../../src/upkeep/flush-reclaim.ts';
import { restShare, ValueCollector } from '../../src/upkeep/value-collector.ts';
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
    await open.store.inLevel();
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
    await open.store.inLevel();
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
      if (i % staged === 0) await open.store.inLevel();
    }
    await open.store.inLevel();
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

  it('rewrites values that live for seconds only where they are overwritten faster than they expire', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    const collector = new ValueCollector(open.residency, open.store);
    const store = async (from: number, keys: number): Promise<void> => {
      for (let i = from; i < from + 40; i++) await open.set(`k${i % keys}`, bytesOf(0.9 * MB, i), 50);
      await open.store.inLevel();
    };
    await store(0, 1000);
    open.clock.advance(4);
    await store(40, 1000);
    for (let i = 0; i < 18; i++) await open.delete(`k${i}`);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    for (let i = 18; i < 38; i++) await open.delete(`k${i}`);
    for (let i = 40; i < 62; i++) await open.delete(`k${i}`);
    expect(collector.candidate(open.clock.now())).toBeDefined();
    await collector.run(now(open), never);
    expect(collector.done.bytes).toBeGreaterThan(MB);
    expect((await open.get('k38'))!.equals(bytesOf(0.9 * MB, 38))).toBe(true);
    // What is over in a moment is not worth it.
    for (let i = 62; i < 79; i++) await open.delete(`k${i}`);
    open.clock.advance(46);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
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

  /** A segment that is full with 64 values, so that what is dead in one is easily told. */
  const SMALL_SEGMENT = 64 * 1100;

  /** Stores values of 1000 bytes and deletes some of them again. */
  async function fillAndDelete(open: OpenCache, count: number, isDeleted: (i: number) => boolean): Promise<void> {
    for (let i = 0; i < count; i++) await open.set(`k${i}`, bytesOf(1000, i));
    await open.store.inLevel();
    await deleteOf(open, count, isDeleted);
  }

  async function deleteOf(open: OpenCache, count: number, isDeleted: (i: number) => boolean): Promise<void> {
    for (let i = 0; i < count; i++) if (isDeleted(i)) await open.delete(`k${i}`);
    await open.store.inLevel();
  }

  it('closes a segment that is still being filled when much of it is dead', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 40, (i) => i % 10 !== 0);
    const collector = new ValueCollector(open.residency, open.store);
    await collector.run(now(open), never);
    expect(collector.done.segments).toBe(1);
    expect(collector.done.freed).toBeGreaterThan(36_000);
    expect(open.store.values.bytes).toBeLessThan(6000);
    expect((await open.get('k30'))!.equals(bytesOf(1000, 30))).toBe(true);
    await open.close();
    await checkStore(open.directory);
  });

  it('leaves a segment that is still being filled alone while little of it is dead', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 4, (i) => i < 3);
    expect(new ValueCollector(open.residency, open.store).candidate(open.clock.now())).toBeUndefined();
    await open.close();
  });

  it('is content with a fifth dead once nothing dies any more', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 200, (i) => i % 4 === 0);
    const collector = new ValueCollector(open.residency, open.store);
    const clock = vi.spyOn(performance, 'now');
    clock.mockReturnValue(1000);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    clock.mockReturnValue(31_000);
    expect(collector.candidate(open.clock.now())).toBeDefined();
    clock.mockRestore();
    await open.close();
  });

  it('waits while most is alive and the disk has room: what is overwritten goes on dying', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    // 60 % of the first segment is dead, 40 % of all.
    await fillAndDelete(open, 200, (i) => (i < 64 ? i % 5 < 3 : i % 3 === 0));
    const candidate = (isTight: boolean): number | undefined => new ValueCollector(open.residency, open.store, { isTight: () => isTight, diskLimit: 0 }).candidate(open.clock.now());
    expect(candidate(false)).toBeUndefined();
    expect(candidate(true)).toBeDefined();
    // Of each segment more than half, and of none so much that it would be rewritten anyway.
    await deleteOf(open, 200, (i) => i >= 64 && i % 3 === 1);
    expect(open.store.deadValueBytes).toBeGreaterThan(open.store.liveValueBytes);
    expect(candidate(false)).toBeDefined();
    await open.close();
  });

  it('leaves a small store alone while it is busy, until as much is dead as a larger one may have', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    let isTight = false;
    // Up to a MiB is small.
    const collector = new ValueCollector(open.residency, open.store, { isTight: () => isTight, diskLimit: 8 * 2 ** 20 });
    const candidate = (): number | undefined => collector.candidate(open.clock.now());
    const clock = vi.spyOn(performance, 'now');
    clock.mockReturnValue(1000);
    await fillAndDelete(open, 500, (i) => i % 10 !== 0);
    expect(open.store.deadValueBytes).toBeGreaterThan(5 * open.store.liveValueBytes);
    expect(candidate()).toBeUndefined();
    isTight = true;
    expect(candidate()).toBeDefined();
    isTight = false;
    await fillAndDelete(open, 600, (i) => i % 10 !== 1);
    expect(open.store.deadValueBytes).toBeGreaterThan(0.85 * 2 ** 20);
    expect(candidate()).toBeDefined();
    clock.mockRestore();
    await open.close();
  });

  it('gives back what is dead of a small store once nothing more dies', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 200, (i) => i % 2 === 0);
    const collector = new ValueCollector(open.residency, open.store, { isTight: () => false });
    const clock = vi.spyOn(performance, 'now');
    clock.mockReturnValue(1000);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    clock.mockReturnValue(31_001);
    expect(collector.candidate(open.clock.now())).toBeDefined();
    clock.mockRestore();
    await open.close();
  });

  it('does not take overwrites for rest, though as much is alive as before', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 200, (i) => i % 4 === 0);
    const collector = new ValueCollector(open.residency, open.store, { isTight: () => false, diskLimit: 0 });
    const clock = vi.spyOn(performance, 'now');
    clock.mockReturnValue(1000);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    for (let i = 1; i < 60; i += 4) await open.set(`k${i}`, bytesOf(1000, i));
    clock.mockReturnValue(31_000);
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    clock.mockReturnValue(61_001);
    expect(collector.candidate(open.clock.now())).toBeDefined();
    clock.mockRestore();
    await open.close();
  });

  it('rests after each step', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SMALL_SEGMENT);
    await fillAndDelete(open, 64 * 3, (i) => i % 8 !== 0);
    const pauses: number[] = [];
    const collector = new ValueCollector(open.residency, open.store, { busyMs: () => 0, rest: (ms) => Promise.resolve(void pauses.push(ms)) });
    await collector.run(now(open), never);
    expect(pauses.length).toBeGreaterThanOrEqual(collector.done.segments);
    expect(collector.done.segments).toBeGreaterThanOrEqual(2);
    await open.close();
    await checkStore(open.directory);
  });

  it.each([
    ['calm', 10, 0.5, 3],
    ['late', 20, 0.5, 6],
    ['busy', 30, 0.8, 9],
    ['very busy, with as much dead as alive', 10_000, 1, 1],
    ['very busy, with a tenth more dead than alive', 10_000, 1.1, 0.25],
    ['very busy, with three tenths more dead than alive', 10_000, 1.3, 0],
  ])('rests for a share of its work while the server is %s', (_, busyMs, urgency, share) => {
    expect(restShare(busyMs, urgency)).toBe(share);
  });
});
