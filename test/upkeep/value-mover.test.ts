import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Item } from '../../src/item.ts';
import { RowBatch } from '../../src/store/row-batch.ts';
import { ValueLog } from '../../src/store/value-log.ts';
import { recordsOf, type WalkedRecord } from '../../src/upkeep/segment-walk.ts';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { ValueMover } from '../../src/upkeep/value-mover.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

/** Five of these are more than 4 MiB. */
const LARGE = 1_000_000;
const NEVER = new AbortController().signal;
const SEGMENT_BYTES = 64 * 1024;

afterEach(() => vi.restoreAllMocks());

async function recordsIn(open: OpenCache, id: number): Promise<WalkedRecord[]> {
  const records: WalkedRecord[] = [];
  for await (const some of recordsOf(open.store, id)) records.push(...some.map((record) => ({ ...record, record: Buffer.from(record.record) })));
  return records;
}

describe('ValueMover', () => {
  it('ends a round after 4 MiB, and moves no more than was taken along', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    for (let i = 0; i < 6; i++) await open.set(`k${i}`, bytesOf(LARGE, i));
    await open.store.sync();
    const [id] = open.store.values.ids();
    const moved = new Map<string, Item>();
    const mover = new ValueMover(open.store, (key, item) => moved.set(key, item));
    const isFull: boolean[] = [];
    for (const record of (await recordsIn(open, id!)).slice(0, 5)) {
      const [item] = await open.store.fetch([record.key]);
      mover.take(record, item!);
      await mover.write();
      isFull.push(mover.isFull);
    }
    expect(isFull).toEqual([false, false, false, false, true]);
    expect([mover.hasAll(5), mover.hasAll(6)]).toEqual([true, false]);
    await mover.secure();
    expect([mover.stage(3), mover.isFull, mover.stage(3), mover.stage(3), mover.isFull]).toEqual([3, true, 2, 0, false]);
    await open.store.inLevel();
    expect([...moved.keys()]).toEqual(['k0', 'k1', 'k2', 'k3', 'k4']);
    const items = await open.store.fetch([0, 1, 2, 3, 4, 5].map((i) => `k${i}`));
    expect(items.map((item) => item?.place?.segment === id)).toEqual([false, false, false, false, false, true]);
    for (let i = 0; i < 6; i++) expect((await open.get(`k${i}`))!.equals(bytesOf(LARGE, i))).toBe(true);
    await open.close();
    await checkStore(open.directory);
  });

  it('leaves what it drops where it was, written or not', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
    for (let i = 0; i < 20; i++) await open.set(`k${i}`, bytesOf(1000, i));
    await open.store.sync();
    const [id] = open.store.values.ids();
    const moved: string[] = [];
    const mover = new ValueMover(open.store, (key) => moved.push(key));
    for (const [i, record] of (await recordsIn(open, id!)).entries()) {
      const [item] = await open.store.fetch([record.key]);
      mover.take(record, item!);
      if (i === 10) await mover.secure();
    }
    expect(mover.stage(5)).toBe(5);
    mover.drop();
    expect(mover.stage(5)).toBe(0);
    await open.store.inLevel();
    expect(moved).toHaveLength(5);
    const items = await open.store.fetch(Array.from({ length: 20 }, (_, i) => `k${i}`));
    expect(items.filter((item) => item?.place?.segment === id)).toHaveLength(15);
    const other = items.find((item) => item?.place?.segment !== id)!.place!.segment;
    expect((await recordsIn(open, other)).map(({ key }) => key)).toEqual(moved);
    await open.close();
    await checkStore(open.directory);
  });

  it('serves the collector: no row is written between a copy and the sync that forces it to disk', async () => {
    const open = await OpenCache.open(tempDirectory(), 0, undefined, SEGMENT_BYTES);
    for (let i = 0; i < 300; i++) await open.set(`k${i}`, bytesOf(1000, i));
    for (let i = 0; i < 300; i++) if (i % 10 !== 0) await open.delete(`k${i}`);
    await open.store.sync();
    const steps: string[] = [];
    const write: ValueLog['write'] = Reflect.get(ValueLog.prototype, 'write');
    const sync: ValueLog['sync'] = Reflect.get(ValueLog.prototype, 'sync');
    const writeRows: RowBatch['write'] = Reflect.get(RowBatch.prototype, 'write');
    vi.spyOn(ValueLog.prototype, 'write').mockImplementation(async function copied(this: ValueLog, records) {
      await write.call(this, records);
      steps.push('copies');
    });
    vi.spyOn(ValueLog.prototype, 'sync').mockImplementation(async function forced(this: ValueLog, ids) {
      await sync.call(this, ids);
      if (ids !== undefined) steps.push('forced');
    });
    vi.spyOn(RowBatch.prototype, 'write').mockImplementation(async function rows(this: RowBatch, isSynced) {
      steps.push('rows');
      await writeRows.call(this, isSynced);
    });
    const collector = new ValueCollector(open.residency, open.store);
    await collector.run(() => open.clock.now(), NEVER);
    expect(collector.done.segments).toBeGreaterThan(3);
    // One after the other: nobody else writes.
    const told = steps.join(' ');
    expect(told).toMatch(/^(copies forced rows( rows)* ?)+$/);
    await open.close();
    await checkStore(open.directory);
  });
});
