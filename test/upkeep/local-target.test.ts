import { describe, expect, it } from 'vitest';
import type { LocalTarget } from '../../src/upkeep/local-target.ts';
import type { DueList, ReapReport } from '../../src/upkeep/sweep-target.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { acknowledged } from '../support/open-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';

async function openTarget(ramBytes?: number): Promise<{ open: OpenCache; target: LocalTarget; directory: string }> {
  const directory = tempDirectory();
  const open = await OpenCache.open(directory, ramBytes);
  return { open, target: open.target, directory };
}

function reap(target: LocalTarget, list: DueList): Promise<ReapReport> {
  return target.reap(
    list.seen,
    list.rows.map(({ id }) => id),
  );
}

async function finish(open: OpenCache): Promise<ReadonlyMap<string, unknown>> {
  await open.close();
  return (await checkStore(open.directory)).items;
}

describe('LocalTarget.reap', () => {
  it('deletes items that have expired, large and small, and drops their rows', async () => {
    const { open, target } = await openTarget();
    await open.set('small', bytesOf(10, 1), 5);
    await open.set('large', bytesOf(5000, 2), 5);
    await open.set('stays', bytesOf(10, 3), 500);
    await open.set('for ever', bytesOf(10, 4));
    await open.store.inLevel();
    open.clock.advance(5);
    const report = await reap(target, await target.due(100));
    expect(report).toEqual({ scanned: 2, deleted: 2, bytes: 5 + 10 + 5 + 5000, stale: 0, changed: 0 });
    expect((await target.due(100)).rows).toEqual([]);
    expect(open.store.state).toMatchObject({ expired: 2, reclaimedBytes: 5020 });
    expect([...(await finish(open)).keys()]).toEqual(['for ever', 'stays']);
  });

  // A listing that began before a row was dropped remembered what it had listed.
  it('counts an entry once when another sweep lists its row while it is dropped', async () => {
    const { open, target } = await openTarget();
    await open.set('stays', bytesOf(10, 1), 500);
    for (let i = 0; i < 20; i++) {
      await open.set('k', bytesOf(10, 1), 5);
      await open.store.inLevel();
      open.clock.advance(6);
      const list = await target.due(100);
      const [again] = await Promise.all([target.due(100), reap(target, list)]);
      await reap(target, again);
      expect(open.store.state.indexEntries).toBe(1);
    }
    expect((await finish(open)).size).toBe(1);
  });

  it('leaves an item that was touched after it was listed, and calls its listing stale', async () => {
    const { open, target } = await openTarget();
    await open.set('k', bytesOf(10, 1), 5);
    await open.store.inLevel();
    open.clock.advance(4);
    await open.touch('k', 1000);
    await open.store.inLevel();
    open.clock.advance(1);
    const report = await reap(target, await target.due(100));
    expect(report).toMatchObject({ deleted: 0, stale: 1 });
    expect(await open.get('k')).toEqual(bytesOf(10, 1));
    expect((await finish(open)).size).toBe(1);
  });

  it('leaves an item that was stored anew between list and reap', async () => {
    const { open, target } = await openTarget();
    await open.set('k', bytesOf(10, 1), 5);
    await open.store.inLevel();
    open.clock.advance(5);
    const list = await target.due(100);
    await open.set('k', bytesOf(20, 2), 0);
    expect(await reap(target, list)).toMatchObject({ deleted: 0, stale: 1 });
    expect(await open.get('k')).toEqual(bytesOf(20, 2));
    await finish(open);
  });

  it('leaves an expired item that was stored after `seen`, and still lists it', async () => {
    const { open, target } = await openTarget();
    await open.set('old', bytesOf(10, 1), 5);
    await open.store.inLevel();
    const seen = String(open.store.state.cas);
    await open.set('new', bytesOf(10, 2), 5);
    await open.store.inLevel();
    open.clock.advance(5);
    const { rows } = await target.due(100);
    const first = await target.reap(
      seen,
      rows.map(({ id }) => id),
    );
    expect(first).toMatchObject({ deleted: 1, changed: 1 });
    expect(await reap(target, await target.due(100))).toMatchObject({ deleted: 1, changed: 0 });
    expect((await finish(open)).size).toBe(0);
  });

  it('leaves rows alone that are not due any more because the clock was set back', async () => {
    const { open, target } = await openTarget();
    await open.set('k', bytesOf(10, 1), 5);
    await open.store.inLevel();
    open.clock.advance(5);
    const list = await target.due(100);
    open.clock.advance(-5);
    expect(await reap(target, list)).toMatchObject({ scanned: 0, deleted: 0 });
    expect((await target.due(100)).rows).toEqual([]);
    open.clock.advance(5);
    expect(await reap(target, await target.due(100))).toMatchObject({ deleted: 1 });
    await finish(open);
  });

  it('finds items that were stored while the clock was set back behind what was swept', async () => {
    const { open, target } = await openTarget();
    open.clock.advance(1000);
    await target.due(100);
    open.clock.advance(-500);
    await open.set('k', bytesOf(10, 1), 5);
    await open.store.inLevel();
    open.clock.advance(5);
    expect(await reap(target, await target.due(100))).toMatchObject({ deleted: 1 });
    await finish(open);
  });

  it('does no harm when two sweeps reap the same rows at once', async () => {
    const { open, target } = await openTarget();
    for (let i = 0; i < 20; i++) await open.set(`k${i}`, bytesOf(10, i), 5);
    await open.set('later', bytesOf(10, 1), 50);
    await open.store.inLevel();
    open.clock.advance(5);
    const list = await target.due(100);
    const reports = await Promise.all([reap(target, list), reap(target, list)]);
    expect(reports[0].deleted + reports[1].deleted).toBe(20);
    expect(open.store.state.indexEntries).toBe(1);
    await finish(open);
  });

  it('counts a row once that is named twice', async () => {
    const { open, target } = await openTarget();
    await open.set('k', bytesOf(10, 1), 5);
    await open.set('later', bytesOf(10, 1), 50);
    await open.store.inLevel();
    open.clock.advance(5);
    const { rows, seen } = await target.due(100);
    expect(await target.reap(seen, [rows[0]!.id, rows[0]!.id])).toMatchObject({ scanned: 1, deleted: 1 });
    await finish(open);
  });

  it('takes a row that is gone for nothing to do', async () => {
    const { open, target } = await openTarget();
    expect(await target.reap('1', ['0'.repeat(26)])).toMatchObject({ scanned: 0 });
    await finish(open);
  });

  it('works through rows of many keys that nothing keeps in RAM', async () => {
    const { open, target } = await openTarget(0);
    for (let i = 0; i < 600; i++) void open.set(`k${i}`, bytesOf(300, i), 5);
    await open.store.inLevel();
    await new Promise((resolve) => setImmediate(resolve));
    await open.store.inLevel();
    open.clock.advance(5);
    let deleted = 0;
    for (let list = await target.due(1000); list.rows.length > 0; list = await target.due(1000)) deleted += (await reap(target, list)).deleted;
    expect(deleted).toBe(600);
    expect((await finish(open)).size).toBe(0);
  });
});

describe('LocalTarget.due', () => {
  it('keeps listing an item that was stored and expired while a listing was under way', async () => {
    const { open, target } = await openTarget();
    await open.set('k', bytesOf(10, 1), 1);
    await new Promise((resolve) => setImmediate(resolve));
    open.clock.advance(1);
    // The batch is on its way: this listing may not see it, the next must.
    await target.due(100);
    await open.store.inLevel();
    expect((await target.due(100)).rows).toHaveLength(1);
    await finish(open);
  });
});

describe('LocalTarget.remove', () => {
  it('deletes what is still as it was listed, and nothing else', async () => {
    const { open, target } = await openTarget();
    for (const key of ['a', 'b', 'c', 'd']) await open.set(key, bytesOf(10, 1), 100);
    await open.store.inLevel();
    const { items, next } = await target.list({ limit: 100 });
    expect(next).toBeUndefined();
    await open.set('b', bytesOf(20, 2));
    await open.touch('c', 5000);
    await open.delete('d');
    expect(await target.remove(items)).toEqual({ scanned: 4, deleted: 1, bytes: 11, stale: 1, changed: 2 });
    expect([...(await finish(open)).keys()]).toEqual(['b', 'c']);
  });
});

describe('LocalTarget.list', () => {
  it('shows items of a prefix in portions, and only those stored before a time', async () => {
    const { open, target } = await openTarget();
    for (const key of ['x1', 'y1', 'y2']) await open.set(key, bytesOf(10, 1));
    open.clock.advance(10);
    for (const key of ['y3', 'y4', 'z1']) await open.set(key, bytesOf(10, 1));
    await open.store.inLevel();
    const keys: string[] = [];
    let after: string | undefined;
    do {
      const { items, next } = await target.list({ limit: 2, prefix: Buffer.from('y'), storedBefore: open.clock.now(), after });
      keys.push(...items.map(({ key }) => key.toString()));
      after = next;
    } while (after !== undefined);
    expect(keys).toEqual(['y1', 'y2']);
    await open.close();
  });

  it('shows what was stored before it was asked for, and not what was deleted, though LevelDB does not know yet', async () => {
    const { open, target } = await openTarget();
    await open.set('deleted', bytesOf(1000, 1));
    await open.store.inLevel();
    await open.delete('deleted');
    await open.set('stored', bytesOf(10, 1));
    await acknowledged(open.store);
    expect(open.store.deferredItems).toBe(2);
    const { items } = await target.list({ limit: 10 });
    expect(items.map(({ key }) => key.toString())).toEqual(['stored']);
    await open.close();
  });

  it('shows items in memory alone among the others, in key order, in portions of any size', async () => {
    const open = await OpenCache.open(tempDirectory(), undefined, undefined, undefined, { seconds: 10, limitBytes: 2 ** 20 });
    const keys = Array.from({ length: 60 }, (_, i) => `k${String((i * 7) % 60).padStart(2, '0')}`);
    for (const [i, key] of keys.entries()) await open.set(key, bytesOf(10, 1), [0, 10, 10, 0, 0, 0, 10][i % 7]);
    await open.set('a', bytesOf(10, 1), 10);
    await open.store.inLevel();
    for (const limit of [1, 2, 7, 59, 60, 61, 1000]) {
      const listed: string[] = [];
      let after: string | undefined;
      do {
        const { items, next } = await open.target.list({ limit, prefix: Buffer.from('k'), after });
        expect(items.length).toBeLessThanOrEqual(limit);
        listed.push(...items.map(({ key }) => key.toString()));
        after = next;
      } while (after !== undefined);
      expect(listed).toEqual(keys.toSorted());
    }
    await open.close();
  });
});
