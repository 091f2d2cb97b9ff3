import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DiskBudget } from '../../src/upkeep/disk-budget.ts';
import { Evictor } from '../../src/upkeep/evictor.ts';
import { ReadSketch } from '../../src/ram/read-sketch.ts';
import { checkStore } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

const SEGMENT_BYTES = 16 * 1024;
/** Large enough for a value segment, and small enough for a row. */
const LARGE = 1000;
const SMALL = 100;
/** Rows of a step of the hand, and of the range that it goes over at a time. */
const STEP_ROWS = 4;
const RANGE_ROWS = 64 * STEP_ROWS;
const NOBODY = new AbortController().signal;

interface Fixture {
  readonly open: OpenCache;
  readonly evictor: Evictor;
  readonly evicted: string[];
}

/** A cache with almost no RAM tier, whose limit is what it takes plus nothing: something must go whenever it is asked. */
async function start(budget: Partial<DiskBudget> = {}): Promise<Fixture> {
  return await over(await OpenCache.open(tempDirectory(), 0, new ManualClock(), SEGMENT_BYTES), budget);
}

/** An evictor that knows nothing but what is on disk. */
async function over(open: OpenCache, budget: Partial<DiskBudget> = {}): Promise<Fixture> {
  const sketch = new ReadSketch(0);
  open.cache.sketch = sketch;
  const evicted: string[] = [];
  const marks: DiskBudget = { limit: 1e9, low: 1, begin: 2, high: 1e9, full: 1e9, segmentBytes: SEGMENT_BYTES, writeBufferBytes: 1, tableBytes: 1, ...budget };
  const evictor = new Evictor({ cache: open.cache, store: open.store, sketch, budget: marks, stepRows: STEP_ROWS, onEvicted: ({ key }) => evicted.push(key) });
  await evictor.measure(true);
  return { open, evictor, evicted };
}

/** Stores items of one size; the value tells the key. */
async function fill(open: OpenCache, name: string, count: number, length: number): Promise<void> {
  for (let i = 0; i < count; i++) await open.set(`${name}${String(i).padStart(3, '0')}`, valueOf(`${name}${i}`, length));
  await open.store.inLevel();
}

function valueOf(key: string, length: number): Buffer {
  return Buffer.alloc(length, key);
}

async function present(open: OpenCache, name: string, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = await open.get(`${name}${String(i).padStart(3, '0')}`);
    if (value === undefined) continue;
    expect(value.equals(valueOf(`${name}${i}`, value.length))).toBe(true);
    found.push(i);
  }
  return found;
}

describe('Evictor on values in segments', () => {
  it('gives up the oldest segment, with its file', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'k', 100, LARGE);
    const before = open.store.values.bytes;
    const report = await evictor.evict(1, NOBODY);
    expect(report.evicted).toBe(evicted.length);
    expect(evicted.length).toBeGreaterThan(10);
    expect(evicted[0]).toBe('k000');
    expect(before - open.store.values.bytes).toBeGreaterThan(SEGMENT_BYTES / 2);
    const left = await present(open, 'k', 100);
    expect(left).toEqual(Array.from({ length: 100 - evicted.length }, (_, i) => i + evicted.length));
    expect(open.store.state.evicted).toBe(evicted.length);
    await open.close();
    await checkStore(open.directory);
  });

  it('keeps what was read, until it is not read any more', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'k', 100, LARGE);
    for (const key of ['k002', 'k005']) await open.get(key);
    await evictor.evict(1, NOBODY);
    expect(evicted).not.toContain('k002');
    expect(await open.get('k005')).toEqual(valueOf('k5', LARGE));
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(evicted).toContain('k002');
    expect(await present(open, 'k', 100)).toEqual([]);
    await open.close();
    await checkStore(open.directory);
  });

  it('asks what is new before what it kept once', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'k', 100, LARGE);
    await open.get('k002');
    await evictor.evict(1, NOBODY);
    await fill(open, 'n', 100, LARGE);
    while (!evicted.includes('n050')) await evictor.evict(1, NOBODY);
    expect(await present(open, 'k', 100)).toEqual([2]);
    await open.close();
    await checkStore(open.directory);
  });

  it('gives back at least half of a segment, however much of it is read', async () => {
    const { open, evictor } = await start();
    await fill(open, 'k', 100, LARGE);
    await present(open, 'k', 100);
    const before = open.store.values.bytes;
    await evictor.evict(1, NOBODY);
    expect(before - open.store.values.bytes).toBeGreaterThan(SEGMENT_BYTES / 3);
    await open.close();
  });

  // Removal waits for a sync that several segments share; meanwhile the oldest one was read again and again.
  it('reads each segment once', async () => {
    const { open, evictor } = await start();
    await fill(open, 'k', 100, LARGE);
    const scan = vi.spyOn(open.store.values, 'scan');
    await evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    const places = scan.mock.calls.map(([id, offset]) => `${id}:${offset}`);
    expect(places.length).toBeGreaterThan(3);
    expect(new Set(places).size).toBe(places.length);
    expect(await present(open, 'k', 100)).toEqual([]);
    await open.close();
  });

  it('does not count what is dead as evicted', async () => {
    const { open, evictor, evicted } = await start();
    for (let i = 0; i < 40; i++) await open.set(`k${i}`, valueOf('x', LARGE), 100);
    await open.store.inLevel();
    open.clock.advance(200);
    const report = await evictor.evict(1, NOBODY);
    expect([report.evicted, evicted.length]).toEqual([0, 0]);
    expect(report.dead).toBeGreaterThan(10);
    expect(open.store.state.expired).toBe(report.dead);
    await open.close();
    await checkStore(open.directory);
  });
});

describe('Evictor on items in rows', () => {
  it('goes over the keys in their order and evicts what was not read, in the first lap of all too', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'k', 200, SMALL);
    await open.get('k007');
    expect(await evictor.evict(1, NOBODY)).toMatchObject({ scanned: 200, evicted: 199, kept: 1 });
    expect(evicted).toEqual([...evicted].toSorted());
    expect(await present(open, 'k', 200)).toEqual([7]);
    await open.close();
    await checkStore(open.directory);
  });

  it('leaves alone what was stored since the lap began', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'old', 50, SMALL);
    const evicting = evictor.evict(1, NOBODY);
    await fill(open, 'new', 50, SMALL);
    await evicting;
    expect(evicted).toHaveLength(50);
    expect(await present(open, 'new', 50)).toHaveLength(50);
    await open.close();
  });

  it('goes on in its lap over what is new while there is time', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'a', 2 * RANGE_ROWS, SMALL);
    await evictor.evict(1, NOBODY);
    await fill(open, 'b', 2 * RANGE_ROWS, SMALL);
    evicted.length = 0;
    await evictor.evict(1, NOBODY);
    expect(evicted).toHaveLength(RANGE_ROWS);
    expect(evicted[0]).toBe('a256');
    const report = await evictor.evict(1, NOBODY);
    expect(report).toMatchObject({ kept: 2 * RANGE_ROWS, evicted: RANGE_ROWS });
    await open.close();
  });

  it('begins a new lap when it has to hurry and all that it finds is new, with the first that it found', async () => {
    const { open, evictor, evicted } = await start({ high: 2 });
    await fill(open, 'a', RANGE_ROWS, SMALL);
    const evicting = evictor.evict(1, NOBODY);
    await fill(open, 'b', 3 * RANGE_ROWS, SMALL);
    await evicting;
    evicted.length = 0;
    const report = await evictor.evict(1, NOBODY);
    expect(report).toMatchObject({ kept: RANGE_ROWS, evicted: RANGE_ROWS });
    expect(evicted[0]).toBe('b000');
    await open.close();
  });

  it('keeps nothing for having been read once stores are refused', async () => {
    const { open, evictor, evicted } = await start({ high: 2, full: 2 });
    await fill(open, 'k', 50, SMALL);
    await present(open, 'k', 50);
    expect(await evictor.evict(1, NOBODY)).toMatchObject({ kept: 0, evicted: 50 });
    expect(evicted).toHaveLength(50);
    await open.close();
  });

  it('goes on where it was after a restart', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'k', 3 * RANGE_ROWS, SMALL);
    await evictor.evict(1, NOBODY);
    expect(evicted).toHaveLength(RANGE_ROWS);
    await open.reopen();
    expect(await open.store.hand()).toBe(`k${RANGE_ROWS - 1}`);
    const again = await over(open);
    // Behind the hand, and new in its lap.
    await fill(open, 'a', 10, SMALL);
    await again.evictor.evict(1, NOBODY);
    expect(again.evicted).toHaveLength(RANGE_ROWS);
    expect(again.evicted[0]).toBe(`k${RANGE_ROWS}`);
    await open.close();
    await checkStore(open.directory);
  });
});

describe('Evictor', () => {
  it('asks both kinds for their share', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'large', 60, LARGE);
    await fill(open, 'small', 600, SMALL);
    for (let i = 0; i < 4; i++) await evictor.evict(1, NOBODY);
    const large = evicted.filter((key) => key.startsWith('large')).length;
    expect(large).toBeGreaterThan(0);
    expect(evicted.length - large).toBeGreaterThan(0);
    await open.close();
    await checkStore(open.directory);
  });

  it('frees bytes of both kinds when it is asked for the first time, however many rows there are', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'values', 100, LARGE);
    await fill(open, 'small', 6 * RANGE_ROWS, SMALL);
    const values = open.store.values.bytes;
    for (let i = 0; i < 2; i++) await evictor.evict(1, NOBODY);
    expect(values - open.store.values.bytes).toBeGreaterThan(SEGMENT_BYTES / 2);
    expect(evicted.filter((key) => key.startsWith('small'))).toHaveLength(RANGE_ROWS);
    await open.close();
    await checkStore(open.directory);
  });

  it('takes a segment next when the hand found nothing to evict', async () => {
    const { open, evictor, evicted } = await start();
    await fill(open, 'large', 100, LARGE);
    await fill(open, 'small', 6 * RANGE_ROWS, SMALL);
    // As often as is counted, for keys that share a counter.
    for (let i = 0; i < 3; i++) await present(open, 'small', 6 * RANGE_ROWS);
    await evictor.evict(4 * SEGMENT_BYTES, NOBODY);
    expect(evicted.filter((key) => key.startsWith('large')).length).toBeGreaterThan(40);
    expect(evicted.filter((key) => key.startsWith('small'))).toEqual([]);
    await open.close();
  });

  it('begins above one mark and ends at another', async () => {
    const { open, evictor } = await start({ low: 60_000, begin: 80_000, high: 1e9, full: 1e9, limit: 1e9 });
    const level = await open.store.levelDiskBytes();
    const large = await start({ low: level + 60_000, begin: level + 80_000, high: 1e9, full: 1e9, limit: 1e9 });
    expect(large.evictor.excess).toBe(0);
    await fill(large.open, 'k', 120, LARGE);
    expect(large.evictor.excess).toBeGreaterThan(0);
    await large.evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
    expect(large.evictor.excess).toBe(0);
    expect((await present(large.open, 'k', 120)).length).toBeGreaterThan(20);
    expect(evictor.running).toBe(false);
    await large.open.close();
    await open.close();
  });

  it('loses nothing that is stored meanwhile', async () => {
    const { open, evictor } = await start();
    await fill(open, 'k', 100, LARGE);
    const evicting = evictor.evict(1, NOBODY);
    for (let i = 0; i < 100; i++) await open.set(`k${String(i).padStart(3, '0')}`, valueOf(`n${i}`, LARGE));
    await evicting;
    for (let i = 0; i < 100; i++) expect(await open.get(`k${String(i).padStart(3, '0')}`)).toEqual(valueOf(`n${i}`, LARGE));
    await open.close();
    await checkStore(open.directory);
  });
});
