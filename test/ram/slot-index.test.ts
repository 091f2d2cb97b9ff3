import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HASH, NEXT, ROW_WORDS } from '../../src/ram/row.ts';
import { SlotIndex } from '../../src/ram/slot-index.ts';

const SLOTS = 600;

/** An index of slots in use, each with its hash in its row. */
function start(slots = SLOTS): { readonly index: SlotIndex; readonly add: (slot: number, hash: number) => void; readonly bucketOf: (hash: number) => number[] } {
  const rows = new Uint32Array(slots * ROW_WORDS);
  const index = new SlotIndex(slots, rows);
  return {
    index,
    add: (slot, hash) => {
      rows[slot * ROW_WORDS + HASH] = hash;
      index.add(slot);
    },
    bucketOf: (hash) => {
      const found: number[] = [];
      for (let entry = index.first(hash); entry !== 0; entry = rows[(entry - 1) * ROW_WORDS + NEXT]!) found.push(entry - 1);
      return found;
    },
  };
}

const hash = fc.oneof(
  fc.nat(0xffffffff),
  // Those that differ in few bits share buckets for long.
  fc.nat(7).map((n) => n * 0x20000000),
  fc.nat(7).map((n) => n * 0x100),
);

describe('SlotIndex', () => {
  it('has each slot once, in the bucket of its hash, whatever was added and removed before', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ slot: fc.nat(SLOTS - 1), hash, clears: fc.integer({ min: 0, max: 500 }).map((n) => n === 0) }), { maxLength: 2000 }), (steps) => {
        const { index, add, bucketOf } = start();
        const known = new Map<number, number>();
        for (const step of steps) {
          if (step.clears) {
            index.clear();
            known.clear();
          } else if (known.has(step.slot)) {
            index.remove(step.slot);
            known.delete(step.slot);
          } else {
            add(step.slot, step.hash);
            known.set(step.slot, step.hash);
          }
        }
        const seen = new Map<number, number>();
        for (const hash of new Set(known.values())) for (const slot of bucketOf(hash)) seen.set(slot, known.get(slot)!);
        expect(seen).toEqual(known);
        for (const [slot, hash] of known) expect(bucketOf(hash).filter((other) => other === slot)).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });

  it.each([1, 2, 3, 100, 10_000])('has about one slot in a bucket, with all of %i slots in use', (slots) => {
    const { add, bucketOf } = start(slots);
    for (let slot = 0; slot < slots; slot++) add(slot, Math.imul(slot, 0x9e3779b1) >>> 0);
    let lengths = 0;
    for (let slot = 0; slot < slots; slot++) lengths += bucketOf(Math.imul(slot, 0x9e3779b1) >>> 0).length;
    expect(lengths / slots).toBeLessThanOrEqual(1.5);
  });

  it('finds nothing when it is for no slots', () => {
    const { bucketOf } = start(0);
    expect(bucketOf(0x12345678)).toEqual([]);
  });
});
