import { afterEach, describe, expect, it, vi } from 'vitest';
import { LARGE_LOAD_BYTES, LargeLoads } from '../../src/cache/large-loads.ts';
import type { Item } from '../../src/item.ts';
import { SLICE_MS, SlicedQueue } from '../../src/sliced-queue.ts';
import { Store } from '../../src/store/store.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

/** Large values that are in memory at a time. */
const AT_ONCE = 4;

afterEach(() => vi.restoreAllMocks());

/** Longer than those who stand in line have of a turn of the event loop. */
function work(): void {
  const endsAt = performance.now() + SLICE_MS + 0.5;
  while (performance.now() < endsAt);
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts the turns of the event loop until it is stopped. */
function countTurns(): { turns: number; stop: () => void } {
  const counter = { turns: 0, isStopped: false, stop: (): void => void (counter.isStopped = true) };
  const count = (): void => {
    counter.turns++;
    if (!counter.isStopped) setImmediate(count);
  };
  setImmediate(count);
  return counter;
}

describe('LargeLoads', () => {
  it('lets few begin, and others when these have ended, first come first', async () => {
    const loads = new LargeLoads(new SlicedQueue(1));
    const begun: number[] = [];
    for (let i = 0; i < AT_ONCE + 3; i++) void loads.begin().then(() => begun.push(i));
    await settled();
    expect(begun).toEqual([0, 1, 2, 3]);
    loads.end();
    await settled();
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    for (let i = 0; i < AT_ONCE; i++) loads.end();
    await settled();
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('hands over in the order of coming, and gives others a turn between', async () => {
    const loads = new LargeLoads(new SlicedQueue(1));
    const told: string[] = [];
    const counter = countTurns();
    const at: number[] = [];
    const calls = (name: string): (() => void)[] =>
      [1, 2, 3].map((i) => () => {
        work();
        told.push(`${name}${i}`);
        at.push(counter.turns);
      });
    const first = loads.handOver(calls('a')).then(() => expect(told).toContain('a3'));
    const second = loads.handOver(calls('b'));
    expect(told).toEqual([]);
    await Promise.all([first, second]);
    counter.stop();
    expect(told).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
    expect(new Set(at).size).toBe(6);
  });
});

describe('a large value that many wait for', () => {
  const LENGTH = LARGE_LOAD_BYTES + 1;

  async function stored(count: number): Promise<OpenCache> {
    const open = await OpenCache.open(tempDirectory(), 0);
    for (let i = 0; i < count; i++) await open.set(`k${i}`, bytesOf(LENGTH, i));
    await open.store.inLevel();
    return open;
  }

  it('is handed to some of them in each turn, and what becomes of it meanwhile is what the others see', async () => {
    const open = await stored(1);
    const counter = countTurns();
    const at: number[] = [];
    const seen: (Item | null | undefined)[] = [];
    const replaced: Promise<unknown>[] = [];
    const load = (): Promise<void> =>
      new Promise((resolve) =>
        open.residency.load([{ key: 'k0', value: true }], () => {
          work();
          at.push(counter.turns);
          seen.push(open.residency.currentOf('k0'));
          if (seen.length === 2) replaced.push(open.set('k0', bytesOf(10, 7)));
          resolve();
        }),
      );
    await Promise.all([load(), load(), load(), load()]);
    counter.stop();
    await Promise.all(replaced);
    expect(new Set(at).size).toBe(4);
    expect(seen.map((item) => item?.length)).toEqual([LENGTH, LENGTH, 10, 10]);
    expect(seen[0]!.value).toEqual(bytesOf(LENGTH, 0));
    await open.close();
  });

  it('is read beside few others, and a small one need not wait for them', async () => {
    const open = await stored(AT_ONCE + 2);
    await open.set('small', bytesOf(1000, 1));
    await open.store.inLevel();
    let reading = 0;
    let most = 0;
    const held: (() => void)[] = [];
    const readValue: Store['readValue'] = Reflect.get(Store.prototype, 'readValue');
    vi.spyOn(Store.prototype, 'readValue').mockImplementation(async function slow(this: Store, key, item) {
      if (item.length < LENGTH) return await readValue.call(this, key, item);
      most = Math.max(most, ++reading);
      await new Promise<void>((resolve) => held.push(resolve));
      reading--;
      return await readValue.call(this, key, item);
    });
    const load = (key: string): Promise<Item | null | undefined> =>
      new Promise((resolve) => open.residency.load([{ key, value: true }], () => resolve(open.residency.currentOf(key))));
    const large = Promise.all(Array.from({ length: AT_ONCE + 2 }, (_, i) => load(`k${i}`)));
    expect((await load('small'))?.value).toEqual(bytesOf(1000, 1));
    while (held.length < AT_ONCE) await settled();
    const progress = { isOver: false };
    void large.then(() => (progress.isOver = true));
    while (!progress.isOver) {
      held.shift()?.();
      await settled();
    }
    expect((await large).map((item) => item?.length)).toEqual(Array.from({ length: AT_ONCE + 2 }, () => LENGTH));
    expect(most).toBe(AT_ONCE);
    expect(open.residency.loading).toBe(0);
    await open.close();
  });
});
