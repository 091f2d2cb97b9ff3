import { describe, expect, it } from 'vitest';
import { expiryOf } from '../../src/cache/exptime.ts';
import { LATEST_NOW, LATEST_TIME, systemClock } from '../../src/clock.ts';
import { EphemeralSweep } from '../../src/upkeep/ephemeral-sweep.ts';
import { checkStore } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const VALUE = Buffer.from('value');
/** Long enough for the value log. */
const LARGE = Buffer.alloc(1000, 'L');

/** As much as no RAM tier: what is read comes from disk. */
const NO_RAM = 0;

async function open(clock: ManualClock = new ManualClock(), ramBytes?: number): Promise<OpenCache> {
  return await OpenCache.open(tempDirectory(), ramBytes, clock);
}

async function alive(opened: OpenCache, ...keys: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const key of keys) if ((await opened.get(key)) !== undefined) found.push(key);
  return found;
}

/** Sweeps all that is due. */
async function sweep({ store, target }: OpenCache): Promise<{ deleted: number; stale: number }> {
  if (store.hasPending) await store.inLevel();
  const sum = { deleted: 0, stale: 0 };
  for (let after: string | undefined; ; ) {
    const list = await target.due(1000, after);
    if (list.rows.length === 0) return sum;
    const { deleted, stale } = await target.reap(list.seen, list.rows.map(({ id }) => id));
    sum.deleted += deleted;
    sum.stale += stale;
    if (list.next === undefined) return sum;
    after = list.next;
  }
}

async function end(opened: OpenCache): Promise<string[]> {
  await opened.close();
  return [...(await checkStore(opened.directory)).items.keys()];
}

describe.each([
  ['from memory', undefined],
  ['from disk', NO_RAM],
])('when the clock steps, read %s', (_name, ramBytes) => {
  it('forward by hours, exactly those items are gone whose time it skipped', async () => {
    const opened = await open(undefined, ramBytes);
    await opened.set('minute', VALUE, 60);
    await opened.set('hours', LARGE, 5 * HOUR);
    await opened.set('for ever', VALUE);
    opened.clock.advance(3 * HOUR);
    expect(await alive(opened, 'minute', 'hours', 'for ever')).toEqual(['hours', 'for ever']);
    expect(await sweep(opened)).toEqual({ deleted: 1, stale: 0 });
    expect(await end(opened)).toEqual(['for ever', 'hours']);
  });

  it('back by hours, nothing is gone, and what is not swept lives again until its time', async () => {
    const opened = await open(undefined, ramBytes);
    await opened.set('minute', LARGE, 60);
    await opened.set('hours', VALUE, 5 * HOUR);
    opened.clock.advance(61);
    expect(await alive(opened, 'minute', 'hours')).toEqual(['hours']);
    opened.clock.advance(-3 * HOUR);
    expect(await alive(opened, 'minute', 'hours')).toEqual(['minute', 'hours']);
    expect(await sweep(opened)).toEqual({ deleted: 0, stale: 0 });
    opened.clock.advance(3 * HOUR);
    expect(await sweep(opened)).toEqual({ deleted: 1, stale: 0 });
    expect(await end(opened)).toEqual(['hours']);
  });

  it('back by hours, new items expire after their own time, and are swept though later deadlines were before them', async () => {
    const opened = await open(undefined, ramBytes);
    await opened.set('before', VALUE, 30);
    await opened.store.inLevel();
    opened.clock.advance(60);
    expect((await sweep(opened)).deleted).toBe(1);
    opened.clock.advance(-3 * HOUR);
    await opened.set('after', VALUE, 30);
    await opened.store.inLevel();
    expect(await alive(opened, 'after')).toEqual(['after']);
    opened.clock.advance(32);
    expect(await alive(opened, 'after')).toEqual([]);
    expect((await sweep(opened)).deleted).toBe(1);
    expect(await end(opened)).toEqual([]);
  });

  it('to and fro, a touch counts from the time that it is then', async () => {
    const opened = await open(undefined, ramBytes);
    await opened.set('k', LARGE, 2 * HOUR);
    opened.clock.advance(-5 * HOUR);
    expect(await opened.touch('k', 60)).toBe('touched');
    opened.clock.advance(59);
    expect(await alive(opened, 'k')).toEqual(['k']);
    opened.clock.advance(1);
    expect(await alive(opened, 'k')).toEqual([]);
    await opened.set('k', LARGE, 60);
    opened.clock.advance(5 * HOUR);
    expect(await opened.touch('k', 60)).toBe('not_found');
    await sweep(opened);
    expect(await end(opened)).toEqual([]);
  });
});

describe('across a restart', () => {
  it('with the clock set back to before all was stored, everything is there, and expires when it was to', async () => {
    const opened = await open();
    await opened.set('minute', VALUE, 60);
    await opened.set('large', LARGE, 60);
    await opened.set('for ever', VALUE);
    opened.clock.advance(-10 * DAY);
    await opened.reopen();
    expect(await alive(opened, 'minute', 'large', 'for ever')).toEqual(['minute', 'large', 'for ever']);
    expect(await opened.set('new', VALUE, 10)).toBe('stored');
    opened.clock.advance(10 * DAY + 64);
    expect(await alive(opened, 'minute', 'large', 'for ever', 'new')).toEqual(['for ever']);
    expect((await sweep(opened)).deleted).toBe(3);
    expect(await end(opened)).toEqual(['for ever']);
  });

  it('an item stored with the clock set back still is newer than what was there', async () => {
    const opened = await open();
    await opened.set('k', Buffer.from('old'));
    const before = opened.store.state.cas;
    opened.clock.advance(-DAY);
    await opened.reopen();
    await opened.set('k', Buffer.from('new'));
    expect(opened.store.state.cas).toBeGreaterThan(before);
    await opened.reopen();
    expect((await opened.get('k'))?.toString()).toBe('new');
    await opened.close();
  });

  it('a flush_all whose time came meanwhile takes what was there, and nothing that is stored later', async () => {
    const opened = await open();
    await opened.set('old', VALUE);
    opened.cache.flushAll(HOUR);
    opened.clock.advance(2 * HOUR);
    await opened.reopen();
    expect(await alive(opened, 'old')).toEqual([]);
    await opened.set('new', VALUE);
    opened.clock.advance(-5 * HOUR);
    await opened.reopen();
    expect(await alive(opened, 'old', 'new')).toEqual(['new']);
    opened.clock.advance(10 * HOUR);
    expect(await alive(opened, 'new')).toEqual(['new']);
    await opened.close();
  });
});

describe('a flush_all to come', () => {
  it('is put off by a step back, comes once, and a step forward brings it on', async () => {
    const opened = await open();
    await opened.set('k', VALUE);
    opened.cache.flushAll(HOUR);
    opened.clock.advance(-2 * HOUR);
    expect(await alive(opened, 'k')).toEqual(['k']);
    opened.clock.advance(3 * HOUR - 1);
    expect(await alive(opened, 'k')).toEqual(['k']);
    opened.clock.advance(1);
    expect(await alive(opened, 'k')).toEqual([]);
    await opened.set('k', VALUE);
    // Before and after its time again.
    opened.clock.advance(-HOUR);
    expect(await alive(opened, 'k')).toEqual(['k']);
    opened.clock.advance(2 * HOUR);
    expect(await alive(opened, 'k')).toEqual(['k']);
    await opened.close();
  });
});

describe('items in memory alone', () => {
  it('stay through a step back until their time, are gone after a step forward, and never stay for ever', async () => {
    const clock = new ManualClock();
    const opened = await OpenCache.open(tempDirectory(), undefined, clock, undefined, { seconds: 10, limitBytes: 2 ** 20 });
    const sweeper = new EphemeralSweep(opened.residency, opened.store);
    await opened.set('k', VALUE, 5);
    clock.advance(-HOUR);
    sweeper.start();
    expect(await alive(opened, 'k')).toEqual(['k']);
    // What is stored now expires by the clock that is now, earlier than what was stored before.
    await opened.set('now', VALUE, 5);
    clock.advance(5);
    sweeper.start();
    expect([await alive(opened, 'k', 'now'), opened.store.ephemeral?.size]).toEqual([['k'], 1]);
    clock.advance(HOUR);
    sweeper.start();
    expect([await alive(opened, 'k'), opened.store.ephemeral?.size]).toEqual([[], 0]);
    expect(await end(opened)).toEqual([]);
  });

  it('that a step back has made long-lived are on disk after a stop, with their time', async () => {
    const clock = new ManualClock();
    const opened = await OpenCache.open(tempDirectory(), undefined, clock, undefined, { seconds: 10, limitBytes: 2 ** 20 });
    await opened.set('k', VALUE, 5);
    clock.advance(-HOUR);
    await opened.reopen();
    clock.advance(HOUR + 4);
    expect(await alive(opened, 'k')).toEqual(['k']);
    clock.advance(1);
    expect(await alive(opened, 'k')).toEqual([]);
    await opened.close();
  });
});

describe('expiryOf', () => {
  const now = 1_700_000_000;

  it('counts up to 30 days from now, and takes more for a time', () => {
    expect(expiryOf(30 * DAY, now)).toBe(now + 30 * DAY);
    expect(expiryOf(30 * DAY + 1, now)).toBe(-1);
    expect(expiryOf(now + 1, now)).toBe(now + 1);
    expect(expiryOf(now, now)).toBe(-1);
    expect(expiryOf(0, now)).toBe(0);
    expect([-1, -(2 ** 31), Number.MIN_SAFE_INTEGER].map((exptime) => expiryOf(exptime, now))).toEqual([-1, -1, -1]);
  });

  it('has no edge in 2038, and in 2106 comes to a time that can be stored', () => {
    for (const year2038 of [2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1]) expect(expiryOf(60, year2038)).toBe(year2038 + 60);
    expect(expiryOf(2 ** 31 - 1, 2 ** 31)).toBe(-1);
    expect(expiryOf(30 * DAY, LATEST_NOW)).toBe(LATEST_TIME);
    expect(expiryOf(LATEST_TIME, LATEST_NOW)).toBe(LATEST_TIME);
  });
});

describe('at the ends of time', () => {
  it.each([
    ['2038', 2 ** 31 - 30],
    ['2106', LATEST_TIME - 30],
  ])('in %s items are stored, read, touched, swept and kept over a restart as ever', async (_year, begin) => {
    const opened = await open(new ManualClock(begin), NO_RAM);
    await opened.set('short', VALUE, 10);
    await opened.set('month', LARGE, 30 * DAY);
    await opened.set('for ever', VALUE);
    await opened.store.inLevel();
    opened.clock.advance(29);
    expect(await alive(opened, 'short', 'month', 'for ever')).toEqual(['month', 'for ever']);
    expect((await sweep(opened)).deleted).toBe(1);
    expect(await opened.touch('month', 30 * DAY)).toBe('touched');
    await opened.reopen();
    expect(await alive(opened, 'month', 'for ever')).toEqual(['month', 'for ever']);
    opened.cache.flushAll(30 * DAY);
    expect(await alive(opened, 'for ever')).toEqual(['for ever']);
    expect(await end(opened)).toEqual(['for ever', 'month']);
  });

  it('at the first second there is, an item that is to be gone at once does not live for ever', async () => {
    const opened = await open(new ManualClock(1));
    await opened.set('gone', VALUE, -1);
    expect(await alive(opened, 'gone')).toEqual([]);
    await opened.set('k', VALUE, 60);
    opened.clock.advance(60);
    expect(await alive(opened, 'k')).toEqual([]);
    await opened.close();
  });
});

describe('the clock of the machine', () => {
  it.each([
    ['1970', 0, 1],
    ['before 1970', -5_000_000, 1],
    ['now', 1_700_000_000_999, 1_700_000_000],
    ['after 2106', 5_000_000_000_000, LATEST_NOW],
  ])('set to %s gives a time that can be stored', (_name, ms, seconds) => {
    const real = Date.now;
    Date.now = () => ms;
    try {
      expect(systemClock.now()).toBe(seconds);
    } finally {
      Date.now = real;
    }
  });
});
