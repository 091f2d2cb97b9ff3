import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KeyRange } from '../../src/cache/hit.ts';
import { Op } from '../../src/cache/command.ts';
import { STATE_KEY } from '../../src/store/keys.ts';
import { openStoppedLevel } from '../../src/tools/store-reader.ts';
import { FlushReclaim } from '../../src/upkeep/flush-reclaim.ts';
import { PrefixCount } from '../../src/upkeep/prefix-count.ts';
import { PrefixDelete } from '../../src/upkeep/prefix-delete.ts';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { failNextWrite, holdNextWrite } from '../issues/held-writes.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore, readContents } from '../support/check-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { keyRange, OpenCache } from '../support/open-cache.ts';
import { tempDirectory, withTempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

const NEVER = new AbortController().signal;

/** A cache that counts some prefixes from its next opening on. */
async function openCounting(directory: string, prefixes: readonly string[]): Promise<OpenCache> {
  const open = await OpenCache.open(directory, 60_000);
  open.countedPrefixes = prefixes;
  await open.reopen();
  return open;
}

function countsOf(open: OpenCache): [prefix: string, items: number, bytes: number][] {
  return (open.store.counted?.all ?? []).map(({ prefix, items, bytes }) => [prefix, items, bytes]);
}

/** The same from the items. */
async function expectedOf(open: OpenCache): Promise<[prefix: string, items: number, bytes: number][]> {
  await open.store.inLevel();
  const { found } = await open.store.scan('', undefined, 100_000);
  return (open.store.counted?.all ?? []).map(({ prefix }) => {
    const under = found.filter(({ key }) => key.startsWith(prefix));
    return [prefix, under.length, under.reduce((sum, { key, item }) => sum + key.length + item.length, 0)];
  });
}

async function expectRight(open: OpenCache): Promise<void> {
  const expected = await expectedOf(open);
  expect(countsOf(open)).toEqual(expected);
}

/** Counts, with `between` after each page. */
async function count(open: OpenCache, between: () => Promise<void> | void = () => undefined, signal: AbortSignal = NEVER): Promise<PrefixCount> {
  const counting = new PrefixCount(open.store, async () => await between());
  await counting.run(signal);
  return counting;
}

function append(open: OpenCache, key: string, value: Buffer): Promise<string> {
  return open.run(key, true, () => open.cache.store(Op.append, keyRange(key), 0, 0, 0, value));
}

function increment(open: OpenCache, key: string): Promise<string> {
  const range: KeyRange = keyRange(key);
  return open.run(key, true, () => open.cache.addDelta(range, 1_000_000, true, 0, { initial: 7, exptime: 0 }));
}

describe('what a store counts under prefixes', () => {
  it('is nothing unless asked, and costs no row', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('a1', bytesOf(10, 1));
    expect(open.store.counted).toBeUndefined();
    await open.close();
  });

  it('is counted by a walk where items were there before, and kept over restarts', async () => {
    const directory = tempDirectory();
    const before = await OpenCache.open(directory);
    for (let i = 0; i < 600; i++) await before.set(`a:${i}`, bytesOf(i, 1));
    await before.set('b', bytesOf(5, 1));
    await before.close();
    const open = await openCounting(directory, ['a:', 'a:1', 'b', 'c']);
    expect(open.store.counted!.all.map(({ isCounted }) => isCounted)).toEqual([false, false, false, false]);
    const counting = await count(open);
    expect(counting.scanned).toBe(601);
    expect(counting.isNeeded).toBe(false);
    await expectRight(open);
    await open.reopen();
    expect(open.store.counted!.all.every(({ isCounted }) => isCounted)).toBe(true);
    await expectRight(open);
    await open.close();
    await checkStore(directory);
  });

  it('is kept by whoever opens the store, and forgotten by a server that counts other prefixes', async () => {
    const open = await openCounting(tempDirectory(), ['a', 'b']);
    await count(open);
    open.countedPrefixes = undefined;
    await open.reopen();
    await open.set('a1', bytesOf(10, 1));
    expect(countsOf(open)).toEqual([['a', 1, 12], ['b', 0, 0]]);
    open.countedPrefixes = ['b', 'c'];
    await open.reopen();
    expect(open.store.counted!.all.map(({ prefix, isCounted }) => [prefix, isCounted])).toEqual([['b', true], ['c', false]]);
    open.countedPrefixes = ['a'];
    await open.reopen();
    expect(open.store.counted!.all.map(({ isCounted }) => isCounted)).toEqual([false]);
    open.countedPrefixes = [];
    await open.reopen();
    expect(open.store.counted).toBeUndefined();
    await open.close();
    await checkStore(open.directory);
  });

  it('is counted anew when a version without quotas had the store in between', async () => {
    const open = await openCounting(tempDirectory(), ['a']);
    await open.set('a1', bytesOf(10, 1));
    await count(open);
    await open.close();
    const db = await openStoppedLevel(open.directory);
    const state = (await db.get(STATE_KEY))!;
    // It writes the fields that it knows: up to handCas.
    await db.put(STATE_KEY, state.subarray(0, 15 * 8));
    await db.close();
    expect((await readContents(open.directory)).faults).toEqual([]);
    await open.reopen();
    expect(open.store.counted!.all[0]).toMatchObject({ isCounted: false });
    await count(open);
    await expectRight(open);
    await open.close();
    await checkStore(open.directory);
  });

  it('is right whatever is staged or on its way when the walk begins', async () => {
    const directory = tempDirectory();
    const before = await OpenCache.open(directory);
    for (let i = 0; i < 300; i++) await before.set(`a${i}`, bytesOf(20, 1));
    await before.close();
    const open = await openCounting(directory, ['a']);
    const held = holdNextWrite();
    await open.set('a1', bytesOf(50, 2));
    await open.set('a new', bytesOf(50, 2));
    await held.begun;
    await open.delete('a2');
    const counted = count(open, async () => {
      await open.delete('a3');
      await open.set('a4', bytesOf(70, 3));
    });
    await open.set('a5', bytesOf(0, 3));
    held.release();
    await counted;
    await expectRight(open);
    await open.close();
    await checkStore(directory);
  });

  it('begins anew after a failed write, and after a walk that was broken off', async () => {
    const directory = tempDirectory();
    const before = await OpenCache.open(directory);
    for (let i = 0; i < 600; i++) await before.set(`a${i}`, bytesOf(20, 1));
    await before.close();
    const open = await openCounting(directory, ['a']);
    const stop = new AbortController();
    await count(open, () => stop.abort(), stop.signal);
    expect(open.store.counted!.all[0]).toMatchObject({ isCounted: false });
    failNextWrite();
    await expect(count(open)).rejects.toThrow('disk full');
    await open.residency.whileQuiet(() => open.store.reopen());
    let once = true;
    await count(open, async () => {
      if (once) await open.residency.whileQuiet(() => open.store.reopen());
      once = false;
    }).catch(() => undefined);
    expect(open.store.counted!.all[0]).toMatchObject({ isCounted: false });
    await count(open);
    await expectRight(open);
    failNextWrite();
    await open.set('a1', bytesOf(1000, 2));
    await expect(open.store.inLevel()).rejects.toThrow('disk full');
    await open.residency.whileQuiet(() => open.store.reopen());
    await expectRight(open);
    await open.close();
    await checkStore(directory);
  });

  it('agrees with the items whatever happens, crashes included', async () => {
    const key = fc.tuple(fc.constantFrom('a', 'a:', 'a:b:', 'b', 'ÿ'), fc.nat(30)).map(([prefix, i]) => `${prefix}${i}`);
    const kinds = ['set', 'large', 'expiring', 'append', 'incr', 'delete', 'touch', 'touch now'] as const;
    const upkeep = ['advance', 'sweep', 'flush', 'delete prefix', 'collect', 'count', 'restart', 'crash'] as const;
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom(...kinds), key, length: fc.nat(400) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom(...upkeep), key, length: fc.nat(3) }) },
    );
    const sets = [['a'], ['a', 'a:', 'a:b:', 'ÿ'], ['a:b:', 'c'], ['a:1', 'b', 'b1']];
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 120 }), fc.nat(3), async (actions, first) => {
        await withTempDirectory(async (parent) => {
          let directory = join(parent, '0');
          const clock = new ManualClock();
          let open = await OpenCache.open(directory, 60_000, clock);
          for (let i = 0; i < 30; i += 2) await open.set(`a:b:${i}`, bytesOf(i, 1));
          open.countedPrefixes = sets[first];
          await open.reopen();
          const act = async ({ kind, key, length }: (typeof actions)[number]): Promise<void> => {
            if (kind === 'set') await open.set(key, bytesOf(length, 2));
            else if (kind === 'large') await open.set(key, bytesOf(300 + length, 2));
            else if (kind === 'expiring') await open.set(key, bytesOf(length, 2), 10);
            else if (kind === 'append') await append(open, key, bytesOf(length, 3));
            else if (kind === 'incr') await increment(open, key);
            else if (kind === 'delete') await open.delete(key);
            else if (kind === 'touch') await open.touch(key, 20 + length);
            else if (kind === 'touch now') await open.touch(key, -1);
            else if (kind === 'advance') clock.advance(15);
            else if (kind === 'flush') {
              open.cache.flushAll(0);
              if (length > 1) await new FlushReclaim(open.residency, open.store).run(NEVER);
            } else if (kind === 'sweep') {
              const { rows, seen } = await open.target.due(1000);
              await open.target.reap(seen, rows.map(({ id }) => id));
            } else if (kind === 'delete prefix') {
              const deletes = new PrefixDelete(open.residency, open.store, () => 0, async () => undefined);
              await deletes.start(key.slice(0, 2));
              await deletes.run(NEVER);
            } else if (kind === 'collect') await new ValueCollector(open.residency, open.store).run(() => clock.now(), NEVER);
            else if (kind === 'count') {
              await count(open, async () => void (await open.set(key, bytesOf(length, 4))));
              await expectRight(open);
            } else {
              if (length === 0) open.countedPrefixes = sets[(first + key.length) % sets.length];
              if (kind === 'restart') {
                await open.reopen();
                return;
              }
              // What a killed process leaves: the files as they are, whatever is staged or being written.
              const next = `${directory}0`;
              cpSync(directory, next, { recursive: true });
              await open.close();
              rmSync(directory, { recursive: true });
              const { countedPrefixes } = open;
              directory = next;
              open = await OpenCache.open(directory, 60_000, clock);
              open.countedPrefixes = countedPrefixes;
              await open.reopen();
            }
          };
          for (const each of actions) await act(each);
          await count(open);
          await expectRight(open);
          await open.close();
          await checkStore(directory);
        });
      }),
      { numRuns: 40 },
    );
  });
});
