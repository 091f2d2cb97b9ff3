import { beforeEach, describe, expect, it } from 'vitest';
import { NEEDS_LOAD, Hit } from '../../src/cache/hit.ts';
import { Command, MetaFields, Op } from '../../src/cache/command.ts';
import { MetaCache } from '../../src/cache/meta-cache.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const KEY = { buffer: Buffer.from('key'), start: 0, end: 3 };

let open: OpenCache;
let meta: MetaCache;
let fields: MetaFields;

beforeEach(async () => {
  // No RAM tier: what is committed is on disk alone.
  open = await OpenCache.open(tempDirectory(), 0);
  meta = new MetaCache(open.cache);
  fields = new MetaFields();
  return () => open.close();
});

/** Runs a step, loading the key as often as the step asks for it. */
async function run<T>(step: () => T | typeof NEEDS_LOAD): Promise<T> {
  for (;;) {
    const outcome = await new Promise<T | typeof NEEDS_LOAD>((resolve, reject) => {
      open.residency.load([{ key: 'key', value: true }], (error) => (error === undefined ? resolve(step()) : reject(error)));
    });
    if (outcome !== NEEDS_LOAD) return outcome;
  }
}

/** A command with some of its meta flags set. */
function command(op: Op, flags: Partial<Command['meta']> = {}): Command {
  const made = new Command();
  made.op = op;
  Object.assign(made.meta, flags);
  return made;
}

const get = (flags: Partial<Command['meta']> = {}): Promise<string> =>
  run(() => meta.get(KEY, command(Op.mg, flags).meta, fields, new Hit()));
const store = (value: string, flags: Partial<Command['meta']> = {}): Promise<string> =>
  run(() => meta.store(KEY, command(Op.ms, flags), fields, Buffer.from(value)));
const remove = (flags: Partial<Command['meta']> = {}): Promise<string> => run(() => meta.delete(KEY, command(Op.md, flags).meta, fields));

describe('a plain mg', () => {
  it('stages nothing: reads do not become disk writes', async () => {
    await store('value');
    await open.store.inLevel();
    await get({ value: true });
    expect(meta.staged).toBe(true);
    meta.staged = false;
    await get({ value: true });
    expect(meta.staged).toBe(false);
    expect(open.store.hasPending).toBe(false);
  });

  it('tells of the access before it, though the item is on disk alone', async () => {
    await store('value');
    await get();
    expect(fields).toMatchObject({ fetched: false, lastAccess: 0 });
    open.clock.advance(7);
    await get({ noBump: true });
    expect(fields).toMatchObject({ fetched: true, lastAccess: 7 });
    await get();
    expect(fields.lastAccess).toBe(7);
    await get();
    expect(fields.lastAccess).toBe(0);
    await store('anew');
    await get();
    expect(fields.fetched).toBe(false);
  });
});

describe('what a restart keeps', () => {
  it('the stale mark and the win', async () => {
    await store('value');
    expect(await remove({ invalidate: true })).toBe('deleted');
    await open.reopen();
    meta = new MetaCache(open.cache);
    await get();
    expect(fields).toMatchObject({ stale: true, won: true, winSent: false });
    await open.store.inLevel();
    await open.reopen();
    meta = new MetaCache(open.cache);
    await get();
    expect(fields).toMatchObject({ stale: true, won: false, winSent: true });
    await store('anew');
    await get();
    expect(fields).toMatchObject({ stale: false, won: false, winSent: false });
  });

  it('a chosen cas unique of 64 bits, and that a key was sent in base64', async () => {
    const newCas = 2n ** 64n - 2n;
    await store('value', { newCas, base64: true });
    await open.reopen();
    meta = new MetaCache(open.cache);
    await get();
    expect(fields).toMatchObject({ cas: newCas, base64Key: true });
    expect(await store('other', { compareCas: newCas })).toBe('stored');
    expect(open.cache.storedCas).toBeLessThan(2 ** 53);
  });
});

describe('flush_all', () => {
  it('covers items with a chosen cas unique, however high', async () => {
    await store('value', { newCas: 2n ** 63n });
    open.cache.flushAll(0);
    expect(await get()).toBe('miss');
  });
});

describe('the cas unique 0', () => {
  it('is no item\'s, not even an older one for I', async () => {
    await store('value');
    expect(await store('other', { compareCas: 0 })).toBe('exists');
    expect(await store('other', { compareCas: 0, invalidate: true })).toBe('exists');
  });
});
