import { Buffer as NodeBuffer } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Item, Place } from '../../src/item.ts';
import { AccessTable } from '../../src/ram/access-table.ts';
import { hashKey } from '../../src/ram/hash.ts';
import { RamTier } from '../../src/ram/ram-tier.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';

/** Few distinct hashes, so that many keys share a bucket of the index. */
function hashOf(key: Buffer): number {
  return hashKey(key, 0, key.length, 1) & 0x3f;
}

function put(tier: RamTier, key: string, item: Item | undefined): boolean {
  const bytes = Buffer.from(key, 'latin1');
  return tier.put(hashOf(bytes), bytes, 0, bytes.length, item);
}

function find(tier: RamTier, key: string): number {
  const bytes = Buffer.from(key, 'latin1');
  return tier.find(hashOf(bytes), bytes, 0, bytes.length);
}

function findPlaced(tier: RamTier, key: string, { segment, offset }: Place): number {
  return tier.findPlaced(hashOf(Buffer.from(key, 'latin1')), segment, offset);
}

function forget(tier: RamTier, key: string): void {
  const bytes = Buffer.from(key, 'latin1');
  tier.forget(hashOf(bytes), bytes, 0, bytes.length);
}

/** As `hashOf`, over all buckets. */
function placeHashOf(key: string): number {
  return Math.imul(hashOf(Buffer.from(key, 'latin1')), 0x9e3779b1) >>> 0;
}

/** A key with a hash that none of the others has. */
const OWN = { hash: 0x12345678, bytes: Buffer.from('its own') };

function putOwn(tier: RamTier, item: Item | undefined, accessedAt?: number): boolean {
  return tier.put(OWN.hash, OWN.bytes, 0, OWN.bytes.length, item, accessedAt);
}

function findOwn(tier: RamTier): number {
  return tier.find(OWN.hash, OWN.bytes, 0, OWN.bytes.length);
}

/** Puts what pushes all else out: keys that nobody asks for again. */
function pushOut(tier: RamTier): void {
  const item = buildItem({ value: Buffer.alloc(1000) });
  for (let i = 1; i < 1000; i++) tier.put(i * 0x10000, Buffer.from(`other ${i}`), 0, 9, item);
}

/** Puts enough to use all segments, some of it more than once. */
function crowd(tier: RamTier, bytes: number): void {
  const item = buildItem({ value: Buffer.alloc(4000) });
  for (let i = 0; i < bytes / 1000; i++) {
    put(tier, `k${i}`, item);
    tier.touched(find(tier, `k${i}`));
  }
}

/** Everything allocated by typed arrays and unpooled buffers while `work` runs. */
function bytesAllocated(work: () => void): number {
  let allocated = 0;
  for (const Real of [ArrayBuffer, Uint8Array, Uint32Array, Float64Array]) {
    vi.stubGlobal(
      Real.name,
      new Proxy(Real, {
        construct(target, args: unknown[]): object {
          const array = Reflect.construct(target, args) as { byteLength: number };
          if (typeof args[0] === 'number') allocated += array.byteLength;
          return array;
        },
      }),
    );
  }
  const allocate = vi.spyOn(NodeBuffer, 'allocUnsafeSlow');
  try {
    work();
    for (const [size] of allocate.mock.calls) allocated += size;
  } finally {
    allocate.mockRestore();
    vi.unstubAllGlobals();
  }
  return allocated;
}

const budget = fc.constantFrom(0, 8_000, 32_000, 100_000, 1_000_000);
const key = fc.nat(60).map((n) => `key ${n}`.padEnd(6 + (n % 5) * 40, '.'));
const length = fc.oneof({ weight: 6, arbitrary: fc.nat(300) }, { weight: 3, arbitrary: fc.nat(5000) }, { weight: 1, arbitrary: fc.nat(90_000) });
const step = fc.oneof(
  { weight: 18, arbitrary: fc.record({ kind: fc.constant('put' as const), key, length, isPlaced: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('absent' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('forget' as const), key }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('use' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('expiry' as const), key, expiresAt: fc.nat(0xffffffff) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize' as const), bytes: budget }) },
);

describe('RamTier', () => {
  it('returns nothing but the newest state of a key, whatever was put, used, moved and evicted before', () => {
    fc.assert(
      fc.property(budget, fc.array(step, { minLength: 20, maxLength: 400 }), (first, steps) => {
        let bytes = first;
        const tier = new RamTier(bytes);
        const model = new Map<string, Item | undefined>();
        const places: { key: string; place: Place }[] = [];
        const noted = new Map<number, Place>();
        steps.forEach((step, i) => {
          switch (step.kind) {
            case 'put': {
              const place = step.isPlaced ? { segment: i, offset: i * 8, size: step.length + 40 } : undefined;
              const item = buildItem({ value: bytesOf(step.length, i), cas: i + 1, flags: i * 7, ttlShift: i % 20, expiresAt: i, place });
              put(tier, step.key, item);
              model.set(step.key, item);
              if (place === undefined) {
                tier.places.forget(placeHashOf(step.key));
                noted.delete(placeHashOf(step.key));
              } else {
                places.push({ key: step.key, place });
                tier.notePlace(placeHashOf(step.key), place);
                noted.set(placeHashOf(step.key), place);
              }
              break;
            }
            case 'absent':
              put(tier, step.key, undefined);
              model.set(step.key, undefined);
              tier.places.forget(placeHashOf(step.key));
              noted.delete(placeHashOf(step.key));
              break;
            case 'forget':
              forget(tier, step.key);
              expect(find(tier, step.key)).toBe(-1);
              break;
            case 'use': {
              const slot = find(tier, step.key);
              if (slot >= 0) tier.touched(slot);
              break;
            }
            case 'expiry': {
              const slot = find(tier, step.key);
              const known = model.get(step.key);
              if (slot < 0 || known === undefined) break;
              tier.setExpiry(slot, step.expiresAt, 3);
              model.set(step.key, { ...known, expiresAt: step.expiresAt, ttlShift: 3 });
              break;
            }
            case 'resize':
              bytes = step.bytes;
              tier.resize(bytes);
              expect(tier.stats().limitBytes).toBe(bytes);
              break;
          }
          expect(tier.stats().usedBytes).toBeLessThanOrEqual(bytes);
        });
        // The newest place of the key, or of one that looks the same.
        for (const key of model.keys()) {
          const found = tier.places.find(placeHashOf(key));
          if (found !== undefined) expect([...noted.values()]).toContainEqual(found);
        }
        let items = 0;
        let absent = 0;
        for (const [key, known] of model) {
          const slot = find(tier, key);
          if (slot < 0) continue;
          if (tier.isAbsent(slot)) absent++;
          else items++;
          expect(tier.isAbsent(slot)).toBe(known === undefined);
          if (known === undefined) continue;
          const { value, ...rest } = tier.item(slot);
          const { value: newest, ...expected } = known;
          expect(rest).toEqual(expected);
          expect(value!.equals(newest!)).toBe(true);
        }
        expect(tier.stats()).toMatchObject({ items, absent });
        // By its place an item is found as long as it lies there.
        for (const { key, place } of places) expect(findPlaced(tier, key, place)).toBe(model.get(key)?.place === place ? find(tier, key) : -1);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what was just put when it fits a segment', () => {
    const tier = new RamTier(100_000);
    for (let i = 0; i < 5000; i++) {
      expect(put(tier, `k${i}`, buildItem({ value: bytesOf(i % 900, i) }))).toBe(true);
      expect(tier.item(find(tier, `k${i}`)).value!.equals(bytesOf(i % 900, i))).toBe(true);
    }
  });

  it('forgets a key whose new value is too large to be kept', () => {
    const tier = new RamTier(100_000);
    put(tier, 'k', buildItem({ value: bytesOf(10, 1) }));
    expect(put(tier, 'k', buildItem({ value: bytesOf(90_000, 2) }))).toBe(false);
    expect(find(tier, 'k')).toBe(-1);
  });

  it('forgets a key whose new value is not at hand', () => {
    const tier = new RamTier(100_000);
    put(tier, 'k', buildItem({ value: bytesOf(10, 1) }));
    expect(put(tier, 'k', { ...buildItem({ value: bytesOf(10, 2) }), value: undefined })).toBe(false);
    expect(find(tier, 'k')).toBe(-1);
  });

  it('keeps nothing and fails nowhere without a budget', () => {
    const tier = new RamTier(0);
    expect(put(tier, 'k', buildItem({ value: bytesOf(10, 1) }))).toBe(false);
    expect(put(tier, 'k', undefined)).toBe(false);
    forget(tier, 'k');
    tier.clear();
    expect(find(tier, 'k')).toBe(-1);
    expect(tier.stats()).toMatchObject({ items: 0, absent: 0, usedBytes: 0 });
  });

  it('knows when an item was asked for as long as it is the same one, also when it was evicted meanwhile', () => {
    const access = new AccessTable(2 ** 20);
    const tier = new RamTier(100_000, access);
    putOwn(tier, buildItem({ value: bytesOf(10, 1) }), 0);
    expect(tier.accessedAt(findOwn(tier))).toBe(0);
    tier.noteAccess(findOwn(tier), 77);
    pushOut(tier);
    expect(findOwn(tier)).toBe(-1);
    expect(access.last(OWN.hash)).toBe(77);
    // Read from the disk again.
    putOwn(tier, buildItem({ value: bytesOf(10, 1) }));
    expect(tier.accessedAt(findOwn(tier))).toBe(77);
    putOwn(tier, buildItem({ value: bytesOf(10, 1) }));
    expect(tier.accessedAt(findOwn(tier))).toBe(77);
    // Stored anew.
    putOwn(tier, buildItem({ value: bytesOf(10, 2) }), 0);
    expect(tier.accessedAt(findOwn(tier))).toBe(0);
    tier.forget(OWN.hash, OWN.bytes, 0, OWN.bytes.length);
    expect(access.last(OWN.hash)).toBe(0);
  });

  it('knows when an item was asked for that it could not keep', () => {
    const access = new AccessTable(2 ** 20);
    const tier = new RamTier(100_000, access);
    putOwn(tier, buildItem({ value: bytesOf(10, 1) }), 55);
    putOwn(tier, buildItem({ value: bytesOf(90_000, 2) }));
    expect(access.last(OWN.hash)).toBe(55);
    putOwn(tier, buildItem({ value: bytesOf(90_000, 2) }), 0);
    expect(access.last(OWN.hash)).toBe(0);
  });

  it.each([
    ['clear', (tier: RamTier) => tier.clear()],
    ['a change of its limit', (tier: RamTier) => tier.resize(200_000)],
  ])('takes no item for one that was asked for before it was stored, after %s', (_name, forgetAll) => {
    const tier = new RamTier(100_000, new AccessTable(2 ** 20));
    putOwn(tier, buildItem({ value: bytesOf(10, 1) }), 55);
    tier.forget(OWN.hash, OWN.bytes, 0, OWN.bytes.length);
    putOwn(tier, buildItem({ value: bytesOf(10, 2) }), 0);
    forgetAll(tier);
    putOwn(tier, buildItem({ value: bytesOf(10, 2) }));
    expect(tier.accessedAt(findOwn(tier))).toBe(0);
  });

  it('is empty and usable after clear', () => {
    const tier = new RamTier(100_000);
    for (let i = 0; i < 2000; i++) put(tier, `k${i}`, buildItem({ value: bytesOf(100, i) }));
    tier.clear();
    expect(tier.stats()).toMatchObject({ items: 0, absent: 0, usedBytes: 0 });
    for (let i = 0; i < 2000; i++) {
      put(tier, `k${i}`, buildItem({ value: bytesOf(100, i + 1) }));
      expect(tier.item(find(tier, `k${i}`)).value!.equals(bytesOf(100, i + 1))).toBe(true);
    }
  });

  it('is empty after its limit changed, and keeps to the new one', () => {
    const tier = new RamTier(200_000);
    crowd(tier, 200_000);
    const { evictions } = tier.stats();
    tier.resize(8_000_000);
    expect(tier.stats()).toEqual({ limitBytes: 8_000_000, usedBytes: 0, items: 0, absent: 0, evictions, placeBytes: 0 });
    expect(find(tier, 'k0')).toBe(-1);
    for (let i = 0; i < 1000; i++) put(tier, `k${i}`, buildItem({ value: bytesOf(1000, i) }));
    expect(tier.stats()).toMatchObject({ items: 1000, evictions });
    tier.resize(100_000);
    expect(bytesAllocated(() => crowd(tier, 100_000))).toBeLessThan(100_000);
    expect(tier.stats().usedBytes).toBeLessThan(100_000);
    tier.resize(0);
    expect(put(tier, 'k', buildItem({ value: bytesOf(10, 1) }))).toBe(false);
  });

  it('keeps what it has when it is told the limit that it has', () => {
    const tier = new RamTier(100_000);
    put(tier, 'k', buildItem({ value: bytesOf(10, 1) }));
    tier.resize(100_000);
    expect(find(tier, 'k')).toBeGreaterThanOrEqual(0);
  });

  it('stays as it is when there is not so much memory', () => {
    const tier = new RamTier(100_000);
    put(tier, 'k', buildItem({ value: bytesOf(10, 1) }));
    expect(() => tier.resize(1e15)).toThrow(RangeError);
    expect(tier.item(find(tier, 'k')).value).toEqual(bytesOf(10, 1));
    crowd(tier, 100_000);
    expect(tier.stats()).toMatchObject({ limitBytes: 100_000 });
  });

  describe('knows places', () => {
    const place = (i: number): Place => ({ segment: 1, offset: i * 16, size: 1000 });
    const item = buildItem({ value: Buffer.alloc(300) });
    const hash = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;
    /** Puts keys, each with its place. */
    function putPlaced(tier: RamTier, from: number, to: number): void {
      for (let i = from; i < to; i++) {
        put(tier, `k${i}`, item);
        tier.notePlace(hash(i), place(i));
      }
    }
    /** Of how many of the first keys the place is known. */
    function knownOf(tier: RamTier, count: number): number {
      let known = 0;
      for (let i = 0; i < count; i++) {
        const found = tier.places.find(hash(i));
        if (found?.offset === place(i).offset) known++;
      }
      return known;
    }

    it('only once there is not room for everything', () => {
      const tier = new RamTier(1_000_000);
      putPlaced(tier, 0, 1000);
      expect(tier.isFull).toBe(false);
      expect(knownOf(tier, 1000)).toBe(0);
      expect(tier.stats().placeBytes).toBe(0);
    });

    it('in rows that no entry needs, as many keys as find room', () => {
      const tier = new RamTier(1_000_000);
      putPlaced(tier, 0, 3000);
      const { placeBytes, items } = tier.stats();
      expect(placeBytes).toBeGreaterThan(100_000);
      putPlaced(tier, 0, 10_000);
      expect(knownOf(tier, 10_000)).toBeGreaterThan(9000);
      putPlaced(tier, 10_000, 100_000);
      expect(knownOf(tier, 100_000)).toBeGreaterThan((0.95 * placeBytes) / 8);
      expect(tier.stats()).toMatchObject({ placeBytes });
      expect(tier.stats().items).toBeGreaterThan(0.98 * items);
      expect(tier.stats().usedBytes).toBeLessThanOrEqual(1_000_000);
    });

    it('of fewer keys again when smaller items need their rows', () => {
      const tier = new RamTier(1_000_000);
      putPlaced(tier, 0, 20_000);
      expect(tier.stats().placeBytes).toBeGreaterThan(100_000);
      const small = buildItem({ value: Buffer.alloc(10) });
      for (let i = 0; i < 40_000; i++) {
        put(tier, `small ${i}`, small);
        if (i % 10 === 0) tier.notePlace(hash(i), place(i));
        if (i % 10 === 0) expect(tier.places.find(hash(i)) ?? place(i)).toEqual(place(i));
      }
      expect(tier.stats().placeBytes).toBe(0);
      expect(knownOf(tier, 20_000)).toBe(0);
      const rows = new RamTier(1_000_000);
      for (let i = 0; i < 40_000; i++) put(rows, `small ${i}`, small);
      expect(tier.stats().items).toBeGreaterThan(0.95 * rows.stats().items);
      for (let i = 0; i < 40_000; i++) if (find(tier, `small ${i}`) >= 0) expect(tier.item(find(tier, `small ${i}`)).value).toEqual(small.value);
    });

    it('no more once all is forgotten', () => {
      const tier = new RamTier(1_000_000);
      putPlaced(tier, 0, 10_000);
      expect(knownOf(tier, 10_000)).toBeGreaterThan(2000);
      tier.clear();
      expect(knownOf(tier, 10_000)).toBe(0);
      putPlaced(tier, 0, 1000);
      expect(knownOf(tier, 1000)).toBeGreaterThan(900);
      tier.resize(900_000);
      expect(knownOf(tier, 10_000)).toBe(0);
      expect(tier.stats().placeBytes).toBe(0);
      putPlaced(tier, 0, 10_000);
      expect(knownOf(tier, 10_000)).toBeGreaterThan(2000);
    });

    it('without a budget none', () => {
      const tier = new RamTier(0);
      putPlaced(tier, 0, 1000);
      expect(knownOf(tier, 1000)).toBe(0);
    });
  });

  it('leaves a value alone that was handed out before', () => {
    const tier = new RamTier(100_000);
    put(tier, 'k', buildItem({ value: bytesOf(1000, 1) }));
    const value = tier.item(find(tier, 'k')).value!;
    tier.resize(50_000);
    crowd(tier, 50_000);
    expect(value.equals(bytesOf(1000, 1))).toBe(true);
  });

  // 2371589 and 9466552 make the tables as large per slot as they can get.
  it.each([60_000, 1_000_000, 2_371_589, 9_466_552, 20_000_000])('allocates no more than its limit of %i bytes', (bytes) => {
    const allocated = bytesAllocated(() => {
      const tier = new RamTier(bytes);
      crowd(tier, bytes);
    });
    expect(allocated).toBeGreaterThan(bytes / 4);
    expect(allocated).toBeLessThanOrEqual(bytes);
  });

  it.each([0.7, 0.9, 1.1])('hits at least as often as an LRU of as many items on a Zipf trace of exponent %d', (exponent) => {
    const keys = 8000;
    const cumulated: number[] = [];
    let sum = 0;
    for (let i = 0; i < keys; i++) cumulated.push((sum += 1 / (i + 1) ** exponent));
    let seed = 42;
    const random = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 32;
    };
    const draw = (): number => {
      const target = random() * sum;
      let low = 0;
      let high = keys - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (cumulated[middle]! < target) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    const trace = Array.from({ length: 150_000 }, draw);
    const tier = new RamTier(250_000);
    const item = buildItem({ value: bytesOf(100, 1) });
    let hits = 0;
    let most = 0;
    for (const n of trace) {
      const bytes = Buffer.from(`key:${n}`);
      const hash = hashKey(bytes, 0, bytes.length, 7);
      const slot = tier.find(hash, bytes, 0, bytes.length);
      if (slot >= 0) {
        hits++;
        tier.touched(slot);
      } else {
        tier.put(hash, bytes, 0, bytes.length, item);
        most = Math.max(most, tier.stats().items);
      }
    }
    const lru = new Set<number>();
    let lruHits = 0;
    for (const n of trace) {
      if (lru.delete(n)) lruHits++;
      else if (lru.size >= most) lru.delete(lru.values().next().value!);
      lru.add(n);
    }
    expect(hits).toBeGreaterThanOrEqual(lruHits);
  });
});
