import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashSet } from '../../src/tools/hash-set.ts';

it('a set of hashes is a set of pairs', () => {
  const pair = fc.tuple(fc.oneof(fc.nat(3), fc.nat(0xffff_ffff)), fc.oneof(fc.nat(6), fc.nat(0xffff_ffff))).filter(([, low]) => low > 3);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), pair), { maxLength: 200 }), (steps) => {
      const set = new HashSet();
      const model = new Set<string>();
      for (const [adds, [high, low]] of steps) {
        const name = `${high} ${low}`;
        if (adds) {
          set.add(high, low);
          model.add(name);
        } else {
          expect(set.delete(high, low)).toBe(model.delete(name));
        }
        expect(set.has(high, low)).toBe(model.has(name));
        expect(set.size).toBe(model.size);
      }
    }),
  );
});

it('a set of hashes grows', () => {
  const set = new HashSet();
  for (let i = 0; i < 50_000; i++) set.add(Math.imul(i, 0x9e3779b1), i + 10);
  expect(set.size).toBe(50_000);
  let deleted = 0;
  for (let i = 0; i < 50_000; i += 2) if (set.delete(Math.imul(i, 0x9e3779b1), i + 10)) deleted++;
  expect([deleted, set.size]).toEqual([25_000, 25_000]);
  let wrong = 0;
  for (let i = 0; i < 50_000; i++) if (set.has(Math.imul(i, 0x9e3779b1), i + 10) !== (i % 2 === 1)) wrong++;
  expect(wrong).toBe(0);
});
