import { describe, expect, it } from 'vitest';
import { Cache } from '../../src/cache/cache.ts';
import { Hit } from '../../src/cache/hit.ts';
import type { CacheOptions } from '../../src/cache/keyed-items.ts';
import { Command, MetaFields, Op } from '../../src/cache/command.ts';
import { type Counters, newCounters } from '../../src/cache/counters.ts';
import { MetaCache } from '../../src/cache/meta-cache.ts';
import type { StoreOp } from '../../src/cache/store-item.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const KEY = keyRange('k');

async function withCache(options: CacheOptions, use: (cache: Cache, open: OpenCache) => void): Promise<void> {
  const open = await OpenCache.open(tempDirectory());
  try {
    use(new Cache(open.store, open.residency, open.clock, 1024 * 1024, options), open);
  } finally {
    await open.close();
  }
}

function set(cache: Cache, value: string, op: StoreOp = Op.set, unique = 0): string {
  return cache.store(op, KEY, 5, 0, unique, Buffer.from(value));
}

function meta(flags: Partial<Command['meta']> = {}): Command['meta'] {
  return Object.assign(new Command().meta, flags);
}

describe('a cache without cas', () => {
  it('shows 0, from memory and from disk, and counts on inside', async () => {
    await withCache({ cas: false }, (cache, open) => {
      set(cache, '1');
      expect(cache.storedCas).toBe(0);
      const hit = new Hit();
      expect(cache.fetch(KEY, undefined, hit)).toBe(true);
      expect(hit.cas).toBe(0);
      open.residency.ram.forget(open.residency.hash(KEY.buffer, KEY.start, KEY.end), KEY.buffer, KEY.start, KEY.end);
      hit.cas = 1;
      expect(cache.fetch(KEY, undefined, hit)).toBe(true);
      expect(hit.cas).toBe(0);
      hit.cas = 1;
      expect(cache.touch(KEY, 100, hit)).toBe('touched');
      expect(hit.cas).toBe(0);
      const fields = new MetaFields();
      expect(new MetaCache(cache).get(KEY, meta(), fields, hit)).toBe('hit');
      expect(fields.cas).toBe(0);
      expect(open.store.state.cas).toBeGreaterThan(0);
    });
  });

  it('finds no item equal that is there, and none where none is', async () => {
    await withCache({ cas: false }, (cache, { store }) => {
      const metaCache = new MetaCache(cache);
      const fields = new MetaFields();
      const ms = new Command();
      ms.op = Op.ms;
      expect(set(cache, '1', Op.cas, 1)).toBe('not_found');
      set(cache, '1');
      for (const unique of [store.state.cas, 0]) {
        ms.meta.compareCas = unique;
        for (const invalidate of [false, true]) {
          ms.meta.invalidate = invalidate;
          expect(metaCache.store(KEY, ms, fields, Buffer.from('2'))).toBe('exists');
        }
        expect(set(cache, '2', Op.cas, unique)).toBe('exists');
        expect(metaCache.delete(KEY, meta({ compareCas: unique }), fields)).toBe('exists');
        // For arithmetic 0 is no condition.
        expect(metaCache.arithmetic(KEY, meta({ compareCas: unique, mode: 'incr' }), fields)).toBe(unique === 0 ? 'stored' : 'exists');
      }
      expect(set(cache, '2', Op.append, store.state.cas)).toBe('exists');
      expect(cache.addDelta(KEY, 1, true, store.state.cas)).toBe('exists');
      expect(cache.delete(KEY, store.state.cas)).toBe('exists');
      expect(cache.delete(KEY)).toBe('deleted');
    });
  });

  it('still honours flush_all, which goes by the order of stores', async () => {
    await withCache({ cas: false }, (cache) => {
      set(cache, '1');
      cache.flushAll(0);
      expect(cache.fetch(KEY, undefined, new Hit())).toBe(false);
      set(cache, '2');
      expect(cache.fetch(KEY, undefined, new Hit())).toBe(true);
    });
  });
});

describe('the counts by prefix', () => {
  it('begin at the start when asked to, with the delimiter asked for', async () => {
    await withCache({ detail: true, prefixDelimiter: '/' }, (cache) => {
      cache.fetch(keyRange('a:b/c'), undefined, new Hit());
      cache.fetch(keyRange('a:b'), undefined, new Hit());
      expect([...cache.prefixes.dump()].join('')).toBe('PREFIX a:b get 1 hit 0 set 0 del 0\r\n');
    });
  });

  it('are off and go by colons by default', async () => {
    await withCache({}, (cache) => {
      cache.fetch(keyRange('a:b'), undefined, new Hit());
      expect([...cache.prefixes.dump()].join('')).toBe('');
      cache.prefixes.enabled = true;
      cache.fetch(keyRange('a:b'), undefined, new Hit());
      expect([...cache.prefixes.dump()].join('')).toBe('PREFIX a get 1 hit 0 set 0 del 0\r\n');
    });
  });
});

describe('touch', () => {
  it('tells flags and cas unique without the value', async () => {
    await withCache({}, (cache) => {
      set(cache, 'value');
      const unique = cache.storedCas;
      const hit = new Hit();
      expect(cache.touch(KEY, 100, hit)).toBe('touched');
      expect(hit).toMatchObject({ flags: 5, cas: unique, length: 0 });
    });
  });

  it('does not wait for a value that is on disk', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('k', Buffer.alloc(100_000));
    await open.store.inLevel();
    const before = open.residency.reads.values;
    expect(await open.run('k', false, () => open.cache.touch(KEY, 100, new Hit()))).toBe('touched');
    expect(open.residency.reads.values).toBe(before);
    await open.close();
  });

  it('counts as an access, as in memcached', async () => {
    await withCache({}, (cache, { clock }) => {
      set(cache, 'value');
      clock.advance(5);
      cache.touch(KEY, 100);
      clock.advance(2);
      const fields = new MetaFields();
      new MetaCache(cache).get(KEY, meta(), fields, new Hit());
      expect(fields).toMatchObject({ fetched: true, lastAccess: 2 });
    });
  });
});

describe('what is counted', () => {
  /** What a step adds to the counters. */
  function counted(cache: Cache, step: () => unknown): Partial<Counters> {
    const before = { ...cache.counters };
    step();
    const names = Object.keys(newCounters()) as (keyof Counters)[];
    return Object.fromEntries(names.filter((name) => cache.counters[name] !== before[name]).map((name) => [name, cache.counters[name] - before[name]]));
  }

  it('mg is a get, and with T a touch once it hits', async () => {
    await withCache({}, (cache) => {
      const mg = (flags: Partial<Command['meta']>): unknown => new MetaCache(cache).get(KEY, meta(flags), new MetaFields(), new Hit());
      expect(counted(cache, () => mg({}))).toEqual({ cmd_get: 1, get_misses: 1 });
      expect(counted(cache, () => mg({ ttl: 50, ttlSteps: 'T' }))).toEqual({ cmd_get: 1, get_misses: 1 });
      expect(counted(cache, () => mg({ vivify: 50, ttl: 50, ttlSteps: 'NT' }))).toEqual({ cmd_touch: 1, touch_hits: 1 });
      expect(counted(cache, () => mg({ ttl: 50, ttlSteps: 'T' }))).toEqual({ cmd_touch: 1, touch_hits: 1 });
      expect(counted(cache, () => mg({}))).toEqual({ cmd_get: 1, get_hits: 1 });
      cache.delete(KEY);
      expect(counted(cache, () => mg({ vivify: 50, ttlSteps: 'N' }))).toEqual({ cmd_get: 1, get_hits: 1 });
    });
  });

  it('md is a hit when it deletes or empties, a miss when the cas unique differs, and neither when it marks stale', async () => {
    await withCache({}, (cache) => {
      const md = (flags: Partial<Command['meta']>): unknown => new MetaCache(cache).delete(KEY, meta(flags), new MetaFields());
      expect(counted(cache, () => md({}))).toEqual({ delete_misses: 1 });
      set(cache, 'value');
      expect(counted(cache, () => md({ compareCas: 999 }))).toEqual({ delete_misses: 1 });
      expect(counted(cache, () => md({ invalidate: true }))).toEqual({});
      expect(counted(cache, () => md({ invalidate: true, clearValue: true }))).toEqual({});
      expect(counted(cache, () => md({ clearValue: true }))).toEqual({ delete_hits: 1 });
      expect(counted(cache, () => md({}))).toEqual({ delete_hits: 1 });
    });
  });

  it('me alone counts in cmd_meta', async () => {
    await withCache({}, (cache) => {
      expect(counted(cache, () => new MetaCache(cache).debug(KEY, new MetaFields()))).toEqual({ cmd_meta: 1 });
    });
  });

  it('cas_* count conditional stores alone', async () => {
    await withCache({}, (cache) => {
      expect(counted(cache, () => set(cache, '1', Op.cas, 7))).toEqual({ cmd_set: 1, cas_misses: 1 });
      expect(counted(cache, () => set(cache, '1'))).toEqual({ cmd_set: 1 });
      expect(counted(cache, () => set(cache, '1', Op.cas, 7_777))).toEqual({ cmd_set: 1, cas_badval: 1 });
      expect(counted(cache, () => set(cache, '1', Op.append, 7_777))).toEqual({ cmd_set: 1 });
      expect(counted(cache, () => set(cache, '1', Op.cas, Number(cache.storedCas)))).toEqual({ cmd_set: 1, cas_hits: 1 });
    });
  });

  it('a number that incr makes is neither a hit nor a miss', async () => {
    await withCache({}, (cache) => {
      expect(counted(cache, () => cache.addDelta(KEY, 1, true))).toEqual({ incr_misses: 1 });
      expect(counted(cache, () => cache.addDelta(KEY, 1, true, 0, { initial: 4, exptime: 0 }))).toEqual({});
      expect(counted(cache, () => cache.addDelta(KEY, 1, false))).toEqual({ decr_hits: 1 });
    });
  });

  it('a lookup that meets what is dead says so, that of a store too', async () => {
    await withCache({}, (cache, { clock }) => {
      cache.store(Op.set, KEY, 0, 1, 0, Buffer.from('1'));
      clock.advance(2);
      expect(counted(cache, () => set(cache, '1', Op.add))).toEqual({ cmd_set: 1, get_expired: 1 });
      cache.flushAll(0);
      expect(counted(cache, () => cache.delete(KEY))).toEqual({ delete_misses: 1, get_flushed: 1 });
    });
  });
});
