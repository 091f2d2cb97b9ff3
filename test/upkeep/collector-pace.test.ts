import { describe, expect, it } from 'vitest';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { Random } from '../bench/load/random.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const NEVER = new AbortController().signal;
const SEGMENT_BYTES = 256 * 1024;
const ITEMS = 3000;

/** Stores items and takes a look, as upkeep does once a second; returns the collector, and how urgent it was after each of its steps. */
async function filled(open: OpenCache): Promise<{ collector: ValueCollector; urgencies: number[] }> {
  const urgencies: number[] = [];
  const collector: ValueCollector = new ValueCollector(open.residency, open.store, {
    busyMs: () => 0,
    isTight: () => false,
    diskLimit: 0,
    rest: () => Promise.resolve(void urgencies.push(collector.urgency())),
  });
  for (let i = 0; i < ITEMS; i++) await open.set(`k${i}`, bytesOf(1000, i));
  await open.store.sync();
  collector.candidate(open.clock.now());
  return { collector, urgencies };
}

describe('the pace of ValueCollector', () => {
  // Its own copies seemed to be more that was written, and it hurried for the whole of what a delete had left.
  it('is calm to the end when a delete made most of it dead', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
    const { collector, urgencies } = await filled(open);
    for (let i = 0; i < ITEMS; i++) if (i % 6 !== 0) await open.delete(`k${i}`);
    await open.store.sync();
    await collector.run(() => open.clock.now(), NEVER);
    expect(collector.done.segments).toBeGreaterThan(3);
    expect(urgencies.length).toBeGreaterThan(3);
    // At the very end as much is dead as alive, and what is copied comes on top.
    expect(Math.max(...urgencies)).toBeLessThan(1.05);
    await open.close();
    await checkStore(open.directory);
  });

  // Only what was four fifths dead was, and the rest of a large delete never came back while a few keys were overwritten.
  it('rewrites what is half dead once a delete is over, and not before', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
    let isDeleting = true;
    const collector = new ValueCollector(open.residency, open.store, { isTight: () => false, diskLimit: 0, isDeleting: () => isDeleting });
    for (let i = 0; i < ITEMS; i++) await open.set(`k${i}`, bytesOf(1000, i));
    for (let i = 0; i < ITEMS; i++) if (i % 3 !== 0) await open.delete(`k${i}`);
    await open.store.sync();
    expect(collector.candidate(open.clock.now())).toBeUndefined();
    isDeleting = false;
    expect(collector.candidate(open.clock.now())).toBeDefined();
    await collector.run(() => open.clock.now(), NEVER);
    expect(open.store.deadValueBytes).toBeLessThan(1.1 * open.store.liveValueBytes);
    await open.close();
    await checkStore(open.directory);
  });

  it('hurries when overwriting made most of it dead', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
    const { collector, urgencies } = await filled(open);
    const random = new Random(1);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < ITEMS; i++) if (random.unit() < 0.5) await open.set(`k${i}`, bytesOf(1000, i + round));
      await open.store.sync();
      collector.candidate(open.clock.now());
    }
    expect(collector.urgency()).toBeGreaterThan(1.3);
    await collector.run(() => open.clock.now(), NEVER);
    expect(Math.max(...urgencies)).toBeGreaterThan(1);
    expect(collector.urgency()).toBeLessThanOrEqual(1);
    await open.close();
    await checkStore(open.directory);
  });
});
