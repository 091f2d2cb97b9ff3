import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hit, NEEDS_LOAD } from '../../src/cache/hit.ts';
import { Command, MetaFields, type MetaFlags, Op } from '../../src/cache/command.ts';
import { MetaCache } from '../../src/cache/meta-cache.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory, withTempDirectory } from '../support/temp-directory.ts';

interface ModelItem {
  value: string;
  cas: number;
  expiresAt: number;
  stale: boolean;
  winSent: boolean;
}

type CasChoice = 'none' | 'right' | 'lower' | 'higher';

type MetaStep =
  | { readonly kind: 'mg'; readonly key: string; readonly vivify: number | undefined; readonly recache: number | undefined; readonly ttl: number | undefined }
  | { readonly kind: 'ms'; readonly key: string; readonly mode: 'set' | 'add' | 'replace' | 'append'; readonly value: string; readonly cas: CasChoice; readonly invalidate: boolean }
  | { readonly kind: 'md'; readonly key: string; readonly cas: CasChoice; readonly invalidate: boolean; readonly clearValue: boolean };

type Step = MetaStep | { readonly kind: 'clock'; readonly seconds: number } | { readonly kind: 'reopen' } | { readonly kind: 'commit' };

/** What a client hears: the outcome, and on a hit of mg the value and its marks. */
type Heard = string;

/** The meta commands in a Map: stale marks, wins, conditions. */
class MetaModel {
  readonly #items = new Map<string, ModelItem>();

  find(key: string, now: number): ModelItem | undefined {
    const item = this.#items.get(key);
    return item !== undefined && (item.expiresAt === 0 || item.expiresAt > now) ? item : undefined;
  }

  /** `cas` is the unique that the command gave the item, if it gave one. */
  execute(step: MetaStep, compareCas: number | undefined, now: number, cas: number): Heard {
    const item = this.find(step.key, now);
    switch (step.kind) {
      case 'mg':
        return this.#get(step, item, now, cas);
      case 'ms':
        return this.#store(step, item, compareCas, cas);
      case 'md':
        return this.#delete(step, item, compareCas, cas);
    }
  }

  #get({ key, vivify, recache, ttl }: MetaStep & { kind: 'mg' }, item: ModelItem | undefined, now: number, cas: number): Heard {
    if (item === undefined) {
      if (vivify === undefined) return 'miss';
      this.#items.set(key, { value: '', cas, expiresAt: ends(ttl ?? vivify, now), stale: false, winSent: true });
      return heard('', cas, false, false, true);
    }
    if (ttl !== undefined) item.expiresAt = ends(ttl, now);
    const isShort = recache !== undefined && item.expiresAt !== 0 && item.expiresAt - now < recache;
    const { winSent } = item;
    const won = !winSent && (item.stale || isShort);
    item.winSent ||= won;
    return heard(item.value, item.cas, winSent, item.stale, won);
  }

  #store({ key, mode, value, invalidate }: MetaStep & { kind: 'ms' }, item: ModelItem | undefined, compareCas: number | undefined, cas: number): Heard {
    const fresh = { value, cas, expiresAt: 0, stale: false, winSent: false };
    if (mode === 'append') {
      if (item === undefined) return 'not_stored';
      // 0 is no condition in these modes.
      if (compareCas !== undefined && compareCas !== 0 && compareCas !== item.cas) return 'exists';
      this.#items.set(key, { ...fresh, value: item.value + value, expiresAt: item.expiresAt });
      return 'stored';
    }
    if (mode === 'add') {
      if (item !== undefined) return 'not_stored';
    } else if (compareCas !== undefined) {
      if (item === undefined) return 'not_found';
      if (compareCas !== item.cas) {
        if (!invalidate || compareCas === 0 || compareCas > item.cas) return 'exists';
        this.#items.set(key, { ...item, value, cas, stale: true });
        return 'stored';
      }
    } else if (mode === 'replace' && item === undefined) return 'not_stored';
    this.#items.set(key, fresh);
    return 'stored';
  }

  #delete({ key, invalidate, clearValue }: MetaStep & { kind: 'md' }, item: ModelItem | undefined, compareCas: number | undefined, cas: number): Heard {
    if (item === undefined) return 'not_found';
    if (compareCas !== undefined && compareCas !== item.cas) return 'exists';
    if (clearValue) this.#items.set(key, { value: '', cas: invalidate ? cas : item.cas, expiresAt: 0, stale: invalidate, winSent: false });
    else if (invalidate) this.#items.set(key, { ...item, cas, stale: true, winSent: false });
    else this.#items.delete(key);
    return 'deleted';
  }
}

function ends(exptime: number, now: number): number {
  return exptime === 0 ? 0 : now + exptime;
}

function heard(value: string, cas: number, winSent: boolean, stale: boolean, won: boolean): Heard {
  return `${value.length} ${value.slice(0, 20)} c${cas}${winSent ? ' Z' : ''}${stale ? ' X' : ''}${won ? ' W' : ''}`;
}

function command(op: Op, flags: Partial<MetaFlags>): Command {
  const made = new Command();
  made.op = op;
  Object.assign(made.meta, flags);
  return made;
}

function executeOn(open: OpenCache, step: MetaStep, compareCas: number | undefined): Heard {
  const meta = new MetaCache(open.cache);
  const fields = new MetaFields();
  const key = keyRange(step.key);
  switch (step.kind) {
    case 'mg': {
      const { vivify, recache, ttl } = step;
      const ttlSteps = `${vivify === undefined ? '' : 'N'}${ttl === undefined ? '' : 'T'}${recache === undefined ? '' : 'R'}`;
      const hit = new Hit();
      const outcome = meta.get(key, command(Op.mg, { value: true, vivify, recache, ttl, ttlSteps }).meta, fields, hit);
      if (outcome !== 'hit') return outcome;
      const value = hit.bytes.toString('latin1', hit.start, hit.start + hit.length);
      return heard(value, Number(fields.cas), fields.winSent, fields.stale, fields.won);
    }
    case 'ms':
      return meta.store(key, command(Op.ms, { mode: step.mode, compareCas, invalidate: step.invalidate }), fields, Buffer.from(step.value, 'latin1'));
    case 'md':
      return meta.delete(key, command(Op.md, { compareCas, invalidate: step.invalidate, clearValue: step.clearValue }).meta, fields);
  }
}

const key = fc.constantFrom('a', 'b', 'c');
const seconds = fc.constantFrom(undefined, undefined, 5, 60, 3000);
const cas = fc.constantFrom<CasChoice>('none', 'none', 'right', 'lower', 'higher');
/** In the row, in the value log, and longer than what is read at once. */
const value = fc.tuple(fc.constantFrom(0, 3, 300, 6000), fc.constantFrom('x', 'y', 'z')).map(([length, fill]) => fill.repeat(length));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('mg' as const), key, vivify: seconds, recache: seconds, ttl: seconds }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ms' as const),
      key,
      mode: fc.constantFrom('set' as const, 'set' as const, 'add' as const, 'replace' as const, 'append' as const),
      value,
      cas,
      invalidate: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('md' as const), key, cas, invalidate: fc.constantFrom(true, true, false), clearValue: fc.constantFrom(false, false, true) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clock' as const), seconds: fc.constantFrom(1, 4, 50) }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: 'reopen' }, { kind: 'commit' }) },
);

describe('MetaCache', () => {
  it('answers as the model does, whatever is in memory and across openings', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 32_000, 4 * 2 ** 20), fc.constantFrom(0, 10, 100), fc.array(step, { minLength: 10, maxLength: 60 }), async (ramBytes, seconds, steps) => {
        await withTempDirectory(async (directory) => {
          const open = await OpenCache.open(directory, ramBytes, undefined, undefined, seconds === 0 ? undefined : { seconds, limitBytes: 10_000 });
          const model = new MetaModel();
          for (const each of steps) {
            if (each.kind === 'clock') open.clock.advance(each.seconds);
            else if (each.kind === 'reopen') await open.reopen();
            else if (each.kind === 'commit') await open.store.sync();
            else {
              const { actual, expected } = await open.run(each.key, true, () => {
                const now = open.clock.now();
                const choice = each.kind === 'mg' ? 'none' : each.cas;
                const known = model.find(each.key, now)?.cas ?? 1000;
                const compareCas = choice === 'none' ? undefined : known + (choice === 'lower' ? -1 : choice === 'higher' ? 1 : 0);
                const actual = executeOn(open, each, compareCas);
                return actual === NEEDS_LOAD ? NEEDS_LOAD : { actual, expected: model.execute(each, compareCas, now, open.store.state.cas) };
              });
              expect(actual).toEqual(expected);
            }
          }
          await open.close();
          await checkStore(directory);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe('a read with mg', () => {
  const mg = (open: OpenCache, name: string, flags: Partial<MetaFlags> = {}): Promise<MetaFields> => {
    const fields = new MetaFields();
    const meta = command(Op.mg, { value: true, ...flags }).meta;
    return open.run(name, true, () => (new MetaCache(open.cache).get(keyRange(name), meta, fields, new Hit()) === NEEDS_LOAD ? NEEDS_LOAD : fields));
  };

  it('counts a use in the RAM tier, but not with u, and a lookup that goes beyond it', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('k', bytesOf(100, 1));
    const { ram, reads } = open.residency;
    const uses: number[] = [];
    const touched = ram.touched.bind(ram);
    ram.touched = (slot) => {
      uses.push(slot);
      touched(slot);
    };
    await mg(open, 'k');
    expect(uses.length).toBe(1);
    await mg(open, 'k', { noBump: true });
    expect(uses.length).toBe(1);
    expect(reads.lookups).toBe(0);
    await open.reopen();
    await mg(open, 'k');
    await mg(open, 'k');
    expect(open.residency.reads.lookups).toBe(1);
    await open.close();
  });

  it('tells of the last access though the item was pushed out of memory since', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('k', bytesOf(6000, 1));
    await mg(open, 'k');
    await open.store.sync();
    open.clock.advance(9);
    expect(await mg(open, 'k')).toMatchObject({ fetched: true, lastAccess: 9 });
    await open.reopen();
    open.clock.advance(5);
    expect(await mg(open, 'k')).toMatchObject({ fetched: false, lastAccess: 14 });
    await open.close();
  });
});

describe('an older value that I takes', () => {
  it('has the key as this request sent it', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    const fields = new MetaFields();
    const store = (flags: Partial<MetaFlags>): Promise<string> =>
      open.run('k', true, () => new MetaCache(open.cache).store(keyRange('k'), command(Op.ms, flags), fields, Buffer.from('v')));
    await store({});
    await store({});
    expect(await store({ base64: true, compareCas: 1, invalidate: true })).toBe('stored');
    expect(fields.base64Key).toBe(true);
    await store({});
    expect(fields.base64Key).toBe(false);
    await open.close();
  });
});
