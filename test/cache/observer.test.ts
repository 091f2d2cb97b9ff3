import { beforeEach, describe, expect, it } from 'vitest';
import type { Cache } from '../../src/cache/cache.ts';
import { Hit, NEEDS_LOAD } from '../../src/cache/hit.ts';
import { Command, MetaFields, Op } from '../../src/cache/command.ts';
import { MetaCache } from '../../src/cache/meta-cache.ts';
import type { CacheObserver } from '../../src/cache/observer.ts';
import { type StoreOp, storeWord } from '../../src/cache/store-item.ts';
import type { U64 } from '../../src/item.ts';
import { bytesOf } from '../support/build-item.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

/** Everything in memory, and nothing: then each command is called again once its key is loaded. */
const TIERS = [
  { name: 'in memory', ramBytes: 4 * 2 ** 20 },
  { name: 'from disk', ramBytes: 0 },
];

/** Writes down what it is told, a line each. */
class Notes implements CacheObserver {
  lines: string[] = [];

  looked(bytes: Buffer, start: number, end: number, status: string, size: number): void {
    this.lines.push(`looked ${bytes.toString('latin1', start, end)} ${status} ${size}`);
  }

  stored(bytes: Buffer, start: number, end: number, status: string, cmd: string, ttl: number, size: number): void {
    this.lines.push(`stored ${bytes.toString('latin1', start, end)} ${status} ${cmd} ttl ${ttl} ${size}`);
  }

  deleted(bytes: Buffer, start: number, end: number, cmd: string, size: number): void {
    this.lines.push(`deleted ${bytes.toString('latin1', start, end)} ${cmd} ${size}`);
  }
}

describe.each(TIERS)('what an observer of the cache is told, with items $name', ({ ramBytes }) => {
  let open: OpenCache;
  let cache: Cache;
  let meta: MetaCache;
  let notes: Notes;

  beforeEach(async () => {
    open = await OpenCache.open(tempDirectory(), ramBytes);
    cache = open.cache;
    meta = new MetaCache(cache);
    notes = new Notes();
    cache.observer = notes;
    return () => open.close();
  });

  /** Runs a command on the key `k` as a connection does, and returns what was told meanwhile. */
  async function told(step: () => unknown): Promise<string[]> {
    await open.store.inLevel();
    notes.lines = [];
    await open.run('k', true, () => {
      const before = notes.lines.length;
      const outcome = step();
      if (outcome === NEEDS_LOAD) expect(notes.lines.length).toBe(before);
      return outcome;
    });
    return notes.lines;
  }

  const get = (exptime?: number): Promise<string[]> => told(() => cache.fetch(keyRange('k'), exptime, new Hit()));
  const store = (op: StoreOp, value: string | Buffer, exptime = 0, unique: U64 = 0): Promise<string[]> =>
    told(() => cache.store(op, keyRange('k'), 0, exptime, unique, Buffer.from(value)));
  const ms = (value: string, flags: Partial<Command['meta']> = {}, exptime = 0): Promise<string[]> =>
    told(() => meta.store(keyRange('k'), command(Op.ms, flags, exptime), new MetaFields(), Buffer.from(value)));
  const md = (flags: Partial<Command['meta']> = {}): Promise<string[]> =>
    told(() => meta.delete(keyRange('k'), command(Op.md, flags).meta, new MetaFields()));
  const mg = (flags: Partial<Command['meta']> = {}): Promise<string[]> =>
    told(() => meta.get(keyRange('k'), command(Op.mg, flags).meta, new MetaFields(), new Hit()));
  const ma = (flags: Partial<Command['meta']> = {}): Promise<string[]> =>
    told(() => meta.arithmetic(keyRange('k'), command(Op.ma, flags).meta, new MetaFields()));

  it('a get and a gat are one lookup each', async () => {
    expect(await get()).toEqual(['looked k not_found 0']);
    await store(Op.set, bytesOf(6000, 1));
    expect(await get()).toEqual(['looked k found 6000']);
    expect(await get(100)).toEqual(['looked k found 6000']);
    expect(await told(() => cache.touch(keyRange('k'), 50))).toEqual(['looked k found 6000']);
  });

  it('a lookup of what is dead says why', async () => {
    await store(Op.set, 'abc', 10);
    open.clock.advance(11);
    expect(await get()).toEqual(['looked k expired 0']);
    await store(Op.set, 'abc');
    cache.flushAll(0);
    expect(await get()).toEqual(['looked k flushed 0']);
  });

  it('a store is its lookup and then what became of the value', async () => {
    expect(await store(Op.set, 'abc', 100)).toEqual(['looked k not_found 0', 'stored k stored set ttl 100 3']);
    expect(await store(Op.set, 'abcd')).toEqual(['looked k found 3', 'stored k stored set ttl 0 4']);
    expect(await store(Op.add, 'no', 7)).toEqual(['looked k found 4', 'stored k not_stored add ttl 7 2']);
    expect(await store(Op.replace, 'yes', -1)).toEqual(['looked k found 4', 'stored k stored replace ttl -1 3']);
    expect(await store(Op.replace, 'no')).toEqual(['looked k expired 0', 'stored k not_stored replace ttl 0 2']);
    expect(await store(Op.add, 'yes')).toEqual(['looked k expired 0', 'stored k stored add ttl 0 3']);
  });

  it('a store with a condition says whether it held', async () => {
    expect(await store(Op.cas, 'abc', 0, 1)).toEqual(['looked k not_found 0', 'stored k not_found cas ttl 0 3']);
    await store(Op.set, 'abc');
    expect(await store(Op.cas, 'no', 0, 999)).toEqual(['looked k found 3', 'stored k exists cas ttl 0 2']);
    expect(await store(Op.cas, 'yes!', 0, cache.storedCas)).toEqual(['looked k found 3', 'stored k stored cas ttl 0 4']);
  });

  it('an append tells the whole value and the time to live of the item', async () => {
    expect(await store(Op.append, 'x')).toEqual(['looked k not_found 0', 'stored k not_stored append ttl 0 1']);
    await store(Op.set, 'abc', 60);
    expect(await store(Op.append, 'de', 5)).toEqual(['looked k found 3', 'stored k stored append ttl 60 5']);
    expect(await store(Op.prepend, 'z')).toEqual(['looked k found 5', 'stored k stored prepend ttl 60 6']);
    expect(await store(Op.append, Buffer.alloc(1024 * 1024 - 65))).toEqual(['looked k found 6', `stored k not_stored append ttl 0 ${1024 * 1024 - 65}`]);
  });

  it('a value that is too large tells no size, and of the lookup only when it removes', async () => {
    await store(Op.set, 'abc');
    expect(await told(() => cache.refuseTooLarge(false, keyRange('k'), 'append'))).toEqual(['stored k too_large append ttl 0 0']);
    expect(await told(() => cache.refuseTooLarge(true, keyRange('k'), 'set'))).toEqual(['looked k found 3', 'stored k too_large set ttl 0 0']);
    expect(await get()).toEqual(['looked k not_found 0']);
  });

  it('a delete is its lookup and, on a hit, the deletion', async () => {
    expect(await told(() => cache.delete(keyRange('k')))).toEqual(['looked k not_found 0']);
    await store(Op.set, 'abc');
    expect(await told(() => cache.delete(keyRange('k'), 999))).toEqual(['looked k found 3']);
    expect(await told(() => cache.delete(keyRange('k')))).toEqual(['looked k found 3', 'deleted k delete 3']);
  });

  it('arithmetic on a number that is there is only its lookup, as in memcached', async () => {
    expect(await told(() => cache.addDelta(keyRange('k'), 1, true))).toEqual(['looked k not_found 0']);
    await store(Op.set, '10');
    expect(await told(() => cache.addDelta(keyRange('k'), 1, true))).toEqual(['looked k found 2']);
    expect(await ma()).toEqual(['looked k found 2']);
  });

  it('a number that arithmetic makes is added', async () => {
    const made = ['looked k not_found 0', 'looked k not_found 0', 'stored k stored add ttl 30 2'];
    expect(await told(() => cache.addDelta(keyRange('k'), 1, true, 0, { initial: 55, exptime: 30 }))).toEqual(made);
    await told(() => cache.delete(keyRange('k')));
    expect(await ma({ vivify: 30, initial: 55, ttlSteps: 'N' })).toEqual(made);
  });

  it('ms tells the mode, and cas for a set with a condition', async () => {
    expect(await ms('abc', { compareCas: 5 })).toEqual(['looked k not_found 0', 'stored k not_found cas ttl 0 3']);
    expect(await ms('abc', {}, 20)).toEqual(['looked k not_found 0', 'stored k stored set ttl 20 3']);
    expect(await ms('x', { mode: 'add' })).toEqual(['looked k found 3', 'stored k not_stored add ttl 0 1']);
    expect(await ms('x', { mode: 'append' }, 5)).toEqual(['looked k found 3', 'stored k stored append ttl 20 4']);
    expect(await ms('yz', { mode: 'prepend', compareCas: 999 })).toEqual(['looked k found 4', 'stored k exists prepend ttl 0 2']);
    expect(await ms('x', { mode: 'replace', compareCas: cache.storedCas })).toEqual(['looked k found 4', 'stored k stored cas ttl 0 1']);
    await told(() => cache.delete(keyRange('k')));
    expect(await ms('ab', { mode: 'append', vivify: 9 })).toEqual(['looked k not_found 0', 'stored k stored append ttl 9 2']);
  });

  it('an older value that I takes has the time to live of the item', async () => {
    await ms('abc', {}, 20);
    await ms('abcd', {}, 20);
    expect(await ms('x', { compareCas: 1, invalidate: true }, 99)).toEqual(['looked k found 4', 'stored k stored cas ttl 20 1']);
  });

  it('mg is one lookup, also when it makes the item', async () => {
    expect(await mg()).toEqual(['looked k not_found 0']);
    expect(await mg({ vivify: 30, ttlSteps: 'N' })).toEqual(['looked k not_found 0']);
    await store(Op.set, 'abc');
    expect(await mg({ value: true })).toEqual(['looked k found 3']);
    expect(await mg({ ttl: 5, ttlSteps: 'T' })).toEqual(['looked k found 3']);
    expect(await told(() => meta.debug(keyRange('k'), new MetaFields()))).toEqual(['looked k found 3']);
  });

  it('md tells the deletion, but not when the item stays', async () => {
    expect(await md()).toEqual(['looked k not_found 0']);
    await store(Op.set, 'abc');
    expect(await md({ compareCas: 999 })).toEqual(['looked k found 3']);
    expect(await md({ invalidate: true })).toEqual(['looked k found 3']);
    expect(await md()).toEqual(['looked k found 3', 'deleted k md 3']);
    await store(Op.set, 'abc');
    expect(await md({ clearValue: true, ttl: 40 })).toEqual(['looked k found 3', 'looked k found 3', 'stored k stored set ttl 40 0']);
  });
});

describe('storeWord', () => {
  it('is null for what offers no value', () => {
    expect(storeWord(command(Op.get))).toBe('null');
    expect(storeWord(command(Op.ma, { mode: 'incr' }))).toBe('null');
    expect(storeWord(command(Op.prepend))).toBe('prepend');
  });
});

function command(op: Op, flags: Partial<Command['meta']> = {}, exptime = 0): Command {
  const made = new Command();
  made.op = op;
  made.exptime = exptime;
  Object.assign(made.meta, flags);
  return made;
}
