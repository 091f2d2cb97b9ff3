import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../../support/temp-directory.ts';
import { Random } from '../load/random.ts';
import { Clock, Fifo, Lru, S3Fifo, Sieve } from './item-policies.ts';
import { footprint, itemBytes, type Policy, replay } from './policy.ts';
import { RamPolicy } from './ram-policy.ts';
import { SegmentPolicy } from './segment-policy.ts';
import { StorePolicy } from './store-policy.ts';
import { Kind, type Workload, zipfWorkload } from './workload.ts';

const BYTES = 1000;
/** Room for so many items. */
const roomFor = (items: number): number => items * itemBytes(BYTES);

/** Stores a, b and c, reads a, and stores d: which is missing? */
function missingAfter(policy: Policy): number[] {
  for (const key of [0, 1, 2]) void policy.set(key, BYTES);
  void policy.get(0);
  void policy.set(3, BYTES);
  return [0, 1, 2, 3].filter((key) => policy.get(key) === false);
}

function workload(): Workload {
  return zipfWorkload('zipf', { exponent: 0.99, items: 2000, requests: 10_000, seed: 7, valueBytes: BYTES, spread: 0 });
}

describe('ways to evict', () => {
  it('FIFO evicts the oldest, whether read or not', () => {
    expect(missingAfter(new Fifo(roomFor(3)))).toEqual([0]);
  });

  it.each([
    ['LRU', new Lru(roomFor(3))],
    ['GCLOCK', new Clock(roomFor(3))],
    ['SIEVE', new Sieve(roomFor(3))],
  ])('%s evicts the oldest that was not read', (_name, policy) => {
    expect(missingAfter(policy)).toEqual([1]);
  });

  it('S3-FIFO takes what comes back into its main queue, where new items cannot displace it', () => {
    const policy = new S3Fifo(roomFor(20));
    policy.set(0, BYTES);
    for (let key = 1; key <= 20; key++) policy.set(key, BYTES);
    expect(policy.get(0)).toBe(false);
    policy.set(0, BYTES);
    for (let key = 100; key < 117; key++) policy.set(key, BYTES);
    expect(policy.get(0)).toBe(true);
  });

  it.each([
    ['FIFO', (bytes: number) => new Fifo(bytes)],
    ['LRU', (bytes: number) => new Lru(bytes)],
    ['GCLOCK', (bytes: number) => new Clock(bytes)],
    ['SIEVE', (bytes: number) => new Sieve(bytes)],
    ['S3-FIFO', (bytes: number) => new S3Fifo(bytes)],
    ['segments', (bytes: number) => new SegmentPolicy(bytes, { countMax: 3, keptShare: 0.5, newShare: 0.3 })],
  ])('%s keeps its bound', async (_name, make) => {
    const policy: Policy = make(roomFor(100));
    await replay(policy, workload());
    let held = 0;
    for (let key = 0; key < 2000; key++) if (await policy.get(key)) held++;
    expect(held).toBeGreaterThan(50);
    expect(held).toBeLessThanOrEqual(100);
  });
});

describe('the RAM tier', () => {
  const zipf = { items: 20_000, requests: 200_000, seed: 1, valueBytes: BYTES, spread: 0 };

  it.each([
    ['Zipf 0.8', { ...zipf, exponent: 0.8 }],
    ['Zipf 0.99', { ...zipf, exponent: 0.99 }],
    ['Zipf 0.99 with scans', { ...zipf, exponent: 0.99, scanEvery: 20_000 }],
  ])('hits within 1.5 points of S3-FIFO item by item: %s', async (name, choice) => {
    const requests = zipfWorkload(name, choice);
    const tier = new RamPolicy(Math.floor(footprint(requests) * 0.1));
    const real = await replay(tier, requests);
    const model = await replay(new S3Fifo(tier.usedBytes), requests);
    expect(real.hitRate).toBeGreaterThan(model.hitRate - 0.015);
  });

  it('keeps what is asked for all the time, beside three times as many gets of what is asked for seldom', () => {
    const hot = 100;
    const requests = 400_000;
    const tier = new RamPolicy(2 ** 20);
    const random = new Random(3);
    let asked = 0;
    let missed = 0;
    for (let i = 0; i < requests; i++) {
      const isHot = i % 4 === 0;
      const isCounted = isHot && i > requests / 5;
      const key = isHot ? random.below(hot) : hot + random.below(20_000);
      if (isCounted) asked++;
      if (tier.get(key)) continue;
      tier.set(key, BYTES);
      if (isCounted) missed++;
    }
    expect(missed / asked).toBeLessThan(1e-4);
  });
});

describe('replay()', () => {
  it('counts gets from where counting begins, and stores what is missing', async () => {
    const requests: Workload = {
      name: 'short',
      keys: 2,
      kinds: Uint8Array.of(Kind.get, Kind.get, Kind.get, Kind.delete, Kind.get, Kind.set, Kind.get),
      key: Uint32Array.of(0, 0, 1, 0, 0, 1, 1),
      bytes: Uint32Array.of(BYTES, BYTES, 0, 0, BYTES, BYTES, BYTES),
      countedFrom: 1,
    };
    expect(footprint(requests)).toBe(roomFor(2));
    // Hit, nothing to be found, deleted, stored.
    expect(await replay(new Fifo(roomFor(2)), requests)).toEqual({ hitRate: 0.5, writes: 1 });
  });

  it('gives the server itself about the hit rate of its model', async () => {
    const requests = workload();
    const capacity = Math.floor(footprint(requests) * 0.3);
    const store = await StorePolicy.start(tempDirectory(), capacity);
    const real = await replay(store, requests);
    await store.close();
    const model = await replay(new SegmentPolicy(capacity, { countMax: 3, keptShare: 0.5, newShare: 0.3 }), requests);
    const fifo = await replay(new Fifo(capacity), requests);
    expect(Math.abs(real.hitRate - model.hitRate)).toBeLessThan(0.04);
    expect(real.hitRate).toBeGreaterThan(fifo.hitRate + 0.02);
    expect(Math.abs(real.writes - model.writes)).toBeLessThan(0.3);
  });

  it('has the server keep small values, which lie in rows, within the same bound', async () => {
    const small = zipfWorkload('small', { exponent: 0.99, items: 2000, requests: 10_000, seed: 7, valueBytes: 100, spread: 1 });
    expect(Math.max(...small.bytes)).toBeLessThanOrEqual(256);
    const capacity = Math.floor(footprint(small) * 0.5);
    const store = await StorePolicy.start(tempDirectory(), capacity);
    const { hitRate, writes } = await replay(store, small);
    expect(hitRate).toBeGreaterThan(0);
    expect(writes).toBe(1);
    const sizes = new Map([...small.key].map((key, i) => [key, itemBytes(small.bytes[i]!)]));
    let held = 0;
    for (const [key, bytes] of sizes) if (await store.get(key)) held += bytes;
    await store.close();
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(capacity);
  });
});
