import { afterEach, describe, expect, it, vi } from 'vitest';
import type { QuotaConfig } from '../../src/config.ts';
import { ReadSketch } from '../../src/ram/read-sketch.ts';
import { PrefixCount } from '../../src/upkeep/prefix-count.ts';
import { QuotaEvictor } from '../../src/upkeep/quota-evictor.ts';
import { Quotas } from '../../src/upkeep/quotas.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

const NOBODY = new AbortController().signal;
/** Bytes of an item below: key and value. */
const ITEM = 100;

interface Fixture {
  readonly open: OpenCache;
  readonly quotas: Quotas;
  readonly evictor: QuotaEvictor;
  readonly evicted: string[];
}

function over(open: OpenCache, limits: readonly QuotaConfig[]): Fixture {
  const sketch = new ReadSketch(0);
  open.cache.sketch = sketch;
  const evicted: string[] = [];
  const quotas = new Quotas(open.store, limits);
  const evictor = new QuotaEvictor({ cache: open.cache, store: open.store, sketch, quotas, onEvicted: ({ key }) => evicted.push(key) });
  return { open, quotas, evictor, evicted };
}

/** A cache whose prefixes have quotas of so many items each. */
async function start(limits: Readonly<Record<string, number>>): Promise<Fixture> {
  const open = await OpenCache.open(tempDirectory(), 0, new ManualClock());
  open.countedPrefixes = Object.keys(limits);
  await open.reopen();
  await new PrefixCount(open.store, async () => undefined).run(NOBODY);
  return over(open, Object.entries(limits).map(([prefix, items]) => ({ prefix, bytes: items * ITEM })));
}

async function fill(open: OpenCache, prefix: string, count: number, exptime = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    const key = `${prefix}${String(i).padStart(4, '0')}`;
    await open.set(key, bytesOf(ITEM - key.length, 1), exptime);
  }
  await open.store.inLevel();
}

async function keysIn(open: OpenCache, prefix: string): Promise<string[]> {
  await open.store.inLevel();
  return (await open.store.scan(prefix, undefined, 100_000)).found.map(({ key }) => key);
}

describe('Quotas', () => {
  it('have room up to the last byte, in all prefixes that a key begins with', async () => {
    const { open, quotas } = await start({ 'a:': 10, 'a:b:': 5 });
    await fill(open, 'a:b:', 4);
    expect(quotas.hasRoom('a:b:x', ITEM)).toBe(true);
    expect(quotas.hasRoom('a:b:x', ITEM + 1)).toBe(false);
    expect(quotas.hasRoom('a:c', 6 * ITEM)).toBe(true);
    await fill(open, 'a:c:', 6);
    expect(quotas.hasRoom('a:b:x', 1)).toBe(false);
    expect(quotas.hasRoom('b', 1000 * ITEM)).toBe(true);
    await open.close();
  });

  it('call for eviction above one mark, down to another', async () => {
    const { open, quotas } = await start({ a: 1000 });
    await fill(open, 'a', 970);
    expect(quotas.wanted().bytes).toBe(0);
    await open.set('a one more', bytesOf(ITEM, 1));
    expect(quotas.wanted().quotas.map(({ counted }) => counted.prefix)).toEqual(['a']);
    await open.delete('a0000');
    await open.delete('a0001');
    expect(quotas.wanted().bytes).toBeGreaterThan(0);
    for (let i = 2; i < 25; i++) await open.delete(`a${String(i).padStart(4, '0')}`);
    expect(quotas.wanted().quotas).toEqual([]);
    await open.close();
  });
});

describe('QuotaEvictor', () => {
  it('evicts under the prefix alone, down to the low mark and no further', async () => {
    const { open, evictor, evicted } = await start({ b: 1000 });
    await fill(open, 'a', 50);
    await fill(open, 'b', 1000);
    await fill(open, 'c', 50);
    const report = await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(report).toMatchObject({ evicted: 50, dead: 0, bytes: 50 * ITEM });
    expect(evicted).toEqual(Array.from({ length: 50 }, (_, i) => `b${String(i).padStart(4, '0')}`));
    expect([open.store.state.evicted, open.cache.counters.evictions]).toEqual([50, 50]);
    expect(await keysIn(open, 'a')).toHaveLength(50);
    expect(await keysIn(open, 'c')).toHaveLength(50);
    expect(evictor.excess).toBe(0);
    await open.close();
    await checkStore(open.directory);
  });

  it('takes what is dead, and keeps what was read', async () => {
    const { open, evictor, evicted } = await start({ b: 1000 });
    await fill(open, 'b', 40);
    await fill(open, 'b:dead', 20, 10);
    await fill(open, 'c', 5);
    for (let i = 40; i < 955; i++) await open.set(`b${String(i).padStart(4, '0')}`, bytesOf(ITEM - 5, 1));
    await open.get('b0000');
    await open.get('b0007');
    open.clock.advance(20);
    const report = await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(report.evicted + report.dead).toBe(25);
    expect(evicted.slice(0, 7)).toEqual(['b0001', 'b0002', 'b0003', 'b0004', 'b0005', 'b0006', 'b0008']);
    await fill(open, 'b', 955);
    expect(open.store.state.expired).toBe(report.dead);
    await open.close();
    await checkStore(open.directory);
  });

  it('goes on where it was after a restart', async () => {
    const { open, evictor } = await start({ b: 1000 });
    await fill(open, 'b', 1000);
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    await open.reopen();
    expect(open.store.counted!.all[0]).toMatchObject({ hand: 'b0049', bytes: 950 * ITEM });
    const again = over(open, [{ prefix: 'b', bytes: 1000 * ITEM }]);
    await fill(open, 'b:', 30);
    await again.evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(again.evicted[0]).toBe('b0050');
    await open.close();
    await checkStore(open.directory);
  });

  it('leaves alone what was stored since its lap began, until nothing else is left', async () => {
    const { open, evictor, evicted } = await start({ b: 1000 });
    await fill(open, 'bz', 500);
    open.store.moveHandUnder(open.store.counted!.all[0]!, undefined, open.store.state.cas);
    await fill(open, 'ba', 500);
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(evicted.every((key) => key.startsWith('bz'))).toBe(true);
    for (const key of await keysIn(open, 'bz')) await open.delete(key);
    await fill(open, 'bb', 500);
    open.store.moveHandUnder(open.store.counted!.all[0]!, undefined, 1);
    evicted.length = 0;
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(evicted).toHaveLength(50);
    await open.close();
    await checkStore(open.directory);
  });

  it('comes to an end however much is read', async () => {
    const { open, evictor, evicted } = await start({ b: 1000 });
    await fill(open, 'b', 1000);
    for (let round = 0; round < 4; round++) for (const key of await keysIn(open, 'b')) await open.get(key);
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(evicted).toHaveLength(50);
    await open.close();
  });

  it('gives up where nothing can be found, and lets others have their turn', async () => {
    const { open, quotas, evictor, evicted } = await start({ a: 1000, b: 1000 });
    await fill(open, 'b', 1000);
    // Counted, and not there: as if the disk had lost it.
    open.store.counted!.change('a', 1, 2000 * ITEM);
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(evicted).toHaveLength(50);
    expect(quotas.wanted().quotas.map(({ counted }) => counted.prefix)).toEqual(['a']);
    await open.close();
  });

  it('takes turns between prefixes, a step each time it is asked for a little', async () => {
    const { open, evictor, evicted } = await start({ a: 2000, b: 2000 });
    await fill(open, 'a', 2000);
    await fill(open, 'b', 2000);
    await evictor.evict(1, NOBODY);
    await evictor.evict(1, NOBODY);
    expect(new Set(evicted.map((key) => key[0]))).toEqual(new Set(['a', 'b']));
    await open.close();
  });

  it('loses nothing that is stored meanwhile', async () => {
    const { open, evictor } = await start({ b: 1000 });
    await fill(open, 'b', 1000);
    const evicting = evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    for (let i = 0; i < 30; i++) await open.set(`b${String(i).padStart(4, '0')}`, bytesOf(50, 2));
    await evicting;
    for (let i = 0; i < 30; i++) expect(await open.get(`b${String(i).padStart(4, '0')}`)).toEqual(bytesOf(50, 2));
    await open.close();
    await checkStore(open.directory);
  });
});
