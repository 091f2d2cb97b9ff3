import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PrefixDelete } from '../../src/upkeep/prefix-delete.ts';
import { failNextWrite } from '../issues/held-writes.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory, withTempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

const NEVER = new AbortController().signal;

function keysOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);
}

async function fill(open: OpenCache, keys: readonly string[], length = 10): Promise<void> {
  for (const key of keys) await open.set(key, bytesOf(key.endsWith('7') ? 400 : length, 1));
}

/** A cache with the deletes of prefixes on it; `between` runs between two steps. */
function deleter(open: OpenCache, between: () => Promise<void> | void = () => undefined): PrefixDelete {
  return new PrefixDelete(open.residency, open.store, () => 0, async () => await between());
}

async function keysIn(open: OpenCache): Promise<string[]> {
  await open.store.inLevel();
  return (await open.store.scan('', undefined, 100_000)).found.map(({ key }) => key);
}

describe('PrefixDelete', () => {
  it('deletes what is under the prefix, staged or on disk, and nothing else', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, ['a', 'b', ...keysOf('b:', 300), 'b;', 'c']);
    const deletes = deleter(open);
    const number = await deletes.start('b:');
    await deletes.run(NEVER);
    expect(await keysIn(open)).toEqual(['a', 'b', 'b;', 'c']);
    expect(await open.get('b:0000')).toBeUndefined();
    const bytes = 300 * 6 + 270 * 10 + 30 * 400;
    expect(deletes.list()).toEqual([{ number, prefix: 'b:', deleted: 300, bytes, state: 'done' }]);
    expect(deletes.done).toEqual({ items: 300, bytes });
    expect(open.store.state.reclaimedBytes).toBe(bytes);
    expect(deletes.isNeeded).toBe(false);
    await open.close();
    expect((await checkStore(open.directory)).items.size).toBe(4);
  });

  it('deletes under a prefix of 0xff bytes, which no key follows', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, ['a', 'ÿÿ', 'ÿÿ1', 'ÿþ']);
    const deletes = deleter(open);
    await deletes.start('ÿÿ');
    await deletes.run(NEVER);
    expect(await keysIn(open)).toEqual(['a', 'ÿþ']);
    await open.close();
  });

  it('leaves what is stored once the job has begun, also when it replaces an older item', async () => {
    const open = await OpenCache.open(tempDirectory());
    const keys = keysOf('k', 1000);
    await fill(open, keys);
    let step = 0;
    const deletes = deleter(open, async () => {
      // Where the job has been, where it is and where it comes to.
      await open.set(`k000${step}`, bytesOf(20, 2));
      await open.set(`k099${step++}`, bytesOf(20, 2));
    });
    await deletes.start('k');
    await open.set('k0500', bytesOf(20, 2));
    await deletes.run(NEVER);
    const left = await keysIn(open);
    expect(left).toHaveLength(2 * step + 1);
    expect(left).toContain('k0500');
    for (const key of left) expect(await open.get(key)).toEqual(bytesOf(20, 2));
    await open.close();
    await checkStore(open.directory);
  });

  it('deletes an item that is only touched meanwhile', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, keysOf('k', 300));
    const deletes = deleter(open, async () => void (await open.touch('k0299', 100)));
    await deletes.start('k');
    await deletes.run(NEVER);
    expect(await keysIn(open)).toEqual([]);
    await open.close();
    await checkStore(open.directory);
  });

  it('runs jobs one after the other, in the order they came in, and says which runs', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, [...keysOf('a', 300), ...keysOf('b', 300)]);
    const seen: string[] = [];
    const deletes = deleter(open, () => void seen.push(deletes.list().map(({ prefix, state }) => `${prefix} ${state}`).join(', ')));
    const [first, second] = [await deletes.start('b'), await deletes.start('a')];
    expect(second).toBeGreaterThan(first);
    expect(deletes.waiting).toBe(2);
    await deletes.run(NEVER);
    expect([...new Set(seen)]).toEqual(['b running, a waiting', 'a running, b done']);
    expect(deletes.list().map(({ deleted }) => deleted)).toEqual([300, 300]);
    await open.close();
  });

  it('takes a job that comes in while it runs', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, [...keysOf('a', 300), 'b']);
    let late: Promise<number> | undefined;
    const deletes = deleter(open, async () => void (await (late ??= deletes.start('b'))));
    await deletes.start('a');
    await deletes.run(NEVER);
    expect(await keysIn(open)).toEqual([]);
    await open.close();
  });

  it('goes on where it was after a restart, with its counts', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, keysOf('k', 600));
    const stop = new AbortController();
    const before = deleter(open, () => stop.abort());
    const number = await before.start('k');
    await before.run(stop.signal);
    const [job] = before.list();
    expect(job).toMatchObject({ number, deleted: 32 });
    await open.reopen();
    await open.set('k0000', bytesOf(5, 2));
    let steps = 0;
    const after = deleter(open, () => void steps++);
    expect(after.isNeeded).toBe(true);
    await after.run(NEVER);
    expect(steps).toBe(17);
    expect(after.list()).toMatchObject([{ number, deleted: 600, state: 'done' }]);
    expect(after.done.items).toBe(568);
    expect(await keysIn(open)).toEqual(['k0000']);
    await open.reopen();
    const last = deleter(open);
    await last.run(NEVER);
    expect(last.list()).toEqual([]);
    expect(last.isNeeded).toBe(false);
    await open.close();
  });

  it('goes back to what is on disk after a failed write', async () => {
    const open = await OpenCache.open(tempDirectory());
    await fill(open, keysOf('k', 600));
    await open.store.inLevel();
    let breaks = true;
    const deletes = deleter(open, () => {
      if (breaks) failNextWrite();
      breaks = false;
    });
    await deletes.start('k');
    await expect(deletes.run(NEVER)).rejects.toThrow('disk full');
    await expect(deletes.start('x')).rejects.toThrow('disk full');
    await open.residency.whileQuiet(() => open.store.reopen());
    expect(await keysIn(open)).toHaveLength(600 - 32);
    await deletes.run(NEVER);
    expect(deletes.list()).toMatchObject([{ prefix: 'k', deleted: 600, state: 'done' }]);
    expect(await keysIn(open)).toEqual([]);
    await open.close();
    await checkStore(open.directory);
  });

  it('deletes exactly what was stored before each job, whatever happens meanwhile, restarts included', async () => {
    const key = fc.tuple(fc.constantFrom('a', 'ab', 'b'), fc.nat(399)).map(([prefix, i]) => `${prefix}${String(i).padStart(3, '0')}`);
    const action = fc.oneof(
      fc.record({ kind: fc.constantFrom('set', 'large', 'touch', 'delete', 'expiring'), key }),
      fc.record({ kind: fc.constant('start'), key: fc.constantFrom('a', 'ab', 'b', 'a1', 'ab2') }),
      fc.record({ kind: fc.constantFrom('restart', 'flush'), key: fc.constant('') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(fc.array(action, { maxLength: 6 }), { minLength: 4, maxLength: 14 }), async (isEphemeral, given) => {
        const rounds = [...given];
        await withTempDirectory(async (directory) => {
          const ephemeral = isEphemeral ? { seconds: 1000, limitBytes: 2 ** 20 } : undefined;
          const open = await OpenCache.open(directory, 60_000, undefined, undefined, ephemeral);
          /** What must be there at the end, and the version of its value. */
          const expected = new Map<string, number>();
          let version = 0;
          const store = async (key: string, length: number, exptime = 0): Promise<void> => {
            await open.set(key, bytesOf(length, ++version), exptime);
            expected.set(key, version);
          };
          for (const prefix of ['a', 'ab', 'b']) for (let i = 0; i < 400; i += 2) await store(`${prefix}${String(i).padStart(3, '0')}`, i % 50 === 0 ? 700 : 8, i % 4 === 0 ? 1000 : 0);
          let restart = false;
          const act = async (deletes: PrefixDelete): Promise<void> => {
            for (const { kind, key } of rounds.shift() ?? []) {
              if (kind === 'set') await store(key, 12);
              else if (kind === 'large') await store(key, 600);
              else if (kind === 'expiring') await store(key, 30, 1000);
              else if (kind === 'touch') await open.touch(key, 5000);
              else if (kind === 'restart') restart = true;
              else if (kind === 'delete') {
                await open.delete(key);
                expected.delete(key);
              } else if (kind === 'flush') {
                open.cache.flushAll(0);
                expected.clear();
              } else {
                for (const each of expected.keys()) if (each.startsWith(key)) expected.delete(each);
                await deletes.start(key);
              }
            }
          };
          for (;;) {
            const stop = new AbortController();
            const deletes = deleter(open, async () => {
              await act(deletes);
              if (restart) stop.abort();
            });
            await act(deletes);
            await deletes.run(stop.signal);
            if (restart) {
              restart = false;
              await open.reopen();
            } else if (rounds.length === 0 && !deletes.isNeeded) break;
          }
          await open.store.inLevel();
          const found = new Map<string, Buffer | undefined>();
          for (const { key, item } of [...(await open.store.scan('', undefined, 10_000)).found, ...(open.store.ephemeral?.between('', undefined, undefined, 10_000) ?? [])]) {
            if (item.cas > open.store.state.flushCas) found.set(key, undefined);
          }
          for (const [key, number] of expected) {
            const value = await open.get(key);
            expect(value?.equals(bytesOf(value.length, number)), key).toBe(true);
          }
          expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
          await open.close();
          await checkStore(directory);
        });
      }),
      { numRuns: 25 },
    );
  });
});
