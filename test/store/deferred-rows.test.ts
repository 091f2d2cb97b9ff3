import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/item.ts';
import { CommitGroup } from '../../src/store/commit-group.ts';
import { DeferredRows } from '../../src/store/deferred-rows.ts';
import { readItemRow } from '../../src/store/item-row.ts';
import { itemKey } from '../../src/store/keys.ts';
import { openLevel } from '../../src/store/open-level.ts';
import { nearKeyOrder } from '../../src/store/row-order.ts';
import { RowScratch } from '../../src/store/row-scratch.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { withTempDirectory } from '../support/temp-directory.ts';

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 20 });

describe('the order of the rows of a batch', () => {
  it('has each once, whatever the keys, and equal keys in the order in which they came', () => {
    const alike = fc.tuple(fc.constantFrom('user:', 'user:1000', ''), fc.string({ unit: fc.constantFrom('0', '1', ' ', '\u00ff'), maxLength: 8 })).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(fc.oneof(latin1, alike), { maxLength: 300 }), (keys) => {
        const order = [...nearKeyOrder(keys)];
        expect(order.toSorted((a, b) => a - b)).toEqual(keys.map((_, i) => i));
        const lastOf = new Map<string, number>();
        for (const i of order) {
          expect(i).toBeGreaterThan(lastOf.get(keys[i]!) ?? -1);
          lastOf.set(keys[i]!, i);
        }
      }),
    );
  });

  it('is that of the keys where they differ soon after what all begin with', () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `wiki:parsercache:${(i * 7919) % 100_000}`);
    expect([...nearKeyOrder(keys)].map((i) => keys[i])).toEqual(keys.toSorted());
  });

  it('is that in which they came for more keys than a number can tell apart', () => {
    const keys = Array.from({ length: 2 ** 20 + 1 }, (_, i) => `${i % 7}`);
    expect(nearKeyOrder(keys).every((at, i) => at === i)).toBe(true);
  });
});

describe('deferred rows', () => {
  it('are one for a key that was stored in many groups, of the state it had last, in the order of the keys', () =>
    withTempDirectory(async (directory) => {
      const db = await openLevel(directory, { blockCacheBytes: 2 ** 20 });
      const rows = new DeferredRows(db, new RowScratch());
      const states: Record<string, (Item | null)[]> = { c: [itemOf(1), itemOf(2)], a: [itemOf(3), null, itemOf(4)], b: [itemOf(5), null], d: [null, itemOf(6)] };
      for (let version = 0; version < 3; version++) {
        const group = new CommitGroup();
        for (const [key, items] of Object.entries(states)) if (version < items.length) group.put(key, items[version]!, false);
        rows.add(group);
        rows.commit();
      }
      expect([...rows.entries].map(([key, item]) => [key, item?.cas])).toEqual([['c', 2], ['a', 4], ['b', undefined], ['d', 6]]);
      rows.encode();
      await rows.batch.write(false);
      expect(await db.keys().all()).toEqual(['a', 'c', 'd'].map(itemKey));
      const values = await db.values().all();
      expect(values.map((value) => readItemRow(value, 1)?.cas)).toEqual([4, 2, 6]);
      // A batch has each row once, and a key to delete.
      expect(rows.batch.bytes).toBe(values.reduce((sum, value) => sum + 2 + value.length, 2));
      await db.close();
    }));

  it('tell of what was committed before somebody asked, and after', () =>
    withTempDirectory(async (directory) => {
      const db = await openLevel(directory, { blockCacheBytes: 2 ** 20 });
      const rows = new DeferredRows(db, new RowScratch());
      const add = (key: string, item: Item | null): void => {
        const group = new CommitGroup();
        group.put(key, item, false);
        group.mutations++;
        rows.add(group);
      };
      expect([rows.isEmpty, rows.hasCommitted]).toEqual([true, false]);
      add('first', itemOf(1));
      add('second', itemOf(2));
      expect([rows.isEmpty, rows.hasCommitted]).toEqual([false, false]);
      rows.commit();
      expect([rows.hasCommitted, rows.entries.size]).toEqual([true, 2]);
      add('first', null);
      add('third', itemOf(3));
      expect([rows.entries.size, rows.entries.get('first')?.cas]).toEqual([2, 1]);
      rows.commit();
      expect([...rows.entries].map(([key, item]) => [key, item?.cas])).toEqual([['first', undefined], ['second', 2], ['third', 3]]);
      await db.close();
    }));
});

function itemOf(cas: number): Item {
  return buildItem({ value: bytesOf(100, cas), cas });
}
