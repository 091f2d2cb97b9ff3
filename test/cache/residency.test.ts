import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

/** Has the absence of a key in memory, as after a delete by a client. */
function rememberAbsent({ residency }: OpenCache, key: string): void {
  const bytes = Buffer.from(key);
  residency.remember(residency.hash(bytes, 0, bytes.length), bytes, 0, bytes.length, key, undefined);
}

function isInRam({ residency }: OpenCache, key: string): boolean {
  const bytes = Buffer.from(key);
  return residency.ram.find(residency.hash(bytes, 0, bytes.length), bytes, 0, bytes.length) >= 0;
}

describe('Residency.withKnown', () => {
  it.each(['at once', 'meanwhile'])('runs its step even when what was resident is committed and gone, the rest read %s', async (how) => {
    const open = await OpenCache.open(tempDirectory(), 0);
    if (how === 'meanwhile') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    await open.set('a', bytesOf(5000, 1));
    await open.set('b', bytesOf(5000, 2));
    await open.store.committed();
    // Staged without its value: resident as long as the batch is not written.
    await open.touch('b', 100);
    const seen = await open.residency.withKnown(['a', 'b'], () => [open.residency.currentOf('a')?.length, open.residency.currentOf('b')?.length]);
    expect(seen).toEqual([5000, 5000]);
    await open.close();
  });

  it('does not wait where rows can be read at once', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('a', bytesOf(5000, 1));
    await open.store.committed();
    const fetch = vi.spyOn(open.store, 'fetch');
    let ran = false;
    void open.residency.withKnown(['a', 'absent'], () => {
      ran = true;
      expect(open.residency.currentOf('a')?.length).toBe(5000);
      expect(open.residency.currentOf('absent')).toBeNull();
    });
    expect(ran).toBe(true);
    expect(fetch).not.toHaveBeenCalled();
    await open.close();
  });

  // What the step stored pushed later keys out of a small RAM tier, and they were taken for absent.
  it.each(['at once', 'meanwhile'])('has all keys, read %s, at hand throughout the step, whatever it stores', async (how) => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    if (how === 'meanwhile') vi.spyOn(open.residency, 'readNow').mockReturnValue(undefined);
    const keys = Array.from({ length: 128 }, (_, i) => `k${i}`);
    for (const key of keys) await open.set(key, bytesOf(key.endsWith('7') ? 700 : 8, 1));
    await open.store.committed();
    const others = Array.from({ length: 2000 }, (_, i) => `other${i}`);
    const seen = await open.residency.withKnown(keys, () => {
      for (const other of others) rememberAbsent(open, other);
      return keys.filter((key) => open.residency.currentOf(key)?.length !== undefined);
    });
    expect(seen).toEqual(keys);
    await open.close();
  });

  it('shows a change to who looks again within the step', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.committed();
    const seen = await open.residency.withKnown(['k', 'k'], () => {
      open.store.remove('k', open.residency.currentOf('k')!);
      open.residency.gone('k');
      return open.residency.currentOf('k');
    });
    expect(seen).toBeNull();
    await open.close();
    await checkStore(open.directory);
  });
});

describe('Residency.gone', () => {
  it('leaves what is in use in memory, however much goes', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.committed();
    for (let i = 0; i < 2000; i++) open.residency.gone(`other${i}`);
    expect(isInRam(open, 'k')).toBe(true);
    for (let i = 0; i < 2000; i++) rememberAbsent(open, `other${i}`);
    expect(isInRam(open, 'k')).toBe(false);
    await open.close();
  });

  it('says at once and later that the key has no item', async () => {
    const open = await OpenCache.open(tempDirectory(), 60_000);
    await open.set('k', bytesOf(8, 1));
    await open.store.committed();
    open.store.remove('k', open.residency.currentOf('k')!);
    open.residency.gone('k');
    expect(await open.get('k')).toBeUndefined();
    await open.store.committed();
    expect(await open.get('k')).toBeUndefined();
    await open.close();
  });
});

describe('Residency.load', () => {
  it('hands a change made while the value was read to who waited for it', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory, 0);
    await open.set('k', bytesOf(5000, 1));
    await open.store.committed();
    const read = vi.spyOn(Store.prototype, 'readValue');
    const loaded = new Promise<number | undefined>((resolve) => {
      open.residency.load([{ key: 'k', value: true }], () => resolve(open.residency.currentOf('k')?.length));
    });
    await open.set('k', bytesOf(10, 2));
    expect(await loaded).toBe(10);
    expect(await open.get('k')).toEqual(bytesOf(10, 2));
    expect(read.mock.calls.length).toBeLessThanOrEqual(1);
    await open.close();
    await checkStore(directory);
  });

  it('tells those who wait that nothing could be read, and reads again for the next', async () => {
    const open = await OpenCache.open(tempDirectory(), 0);
    await open.set('k', bytesOf(5000, 1));
    await open.store.committed();
    vi.spyOn(Store.prototype, 'fetch').mockRejectedValueOnce(new Error('disk gone'));
    const failed = await new Promise<Error | undefined>((resolve) => open.residency.load([{ key: 'k', value: true }], resolve));
    expect(failed?.message).toBe('disk gone');
    expect(await open.get('k')).toEqual(bytesOf(5000, 1));
    await open.close();
  });

  it('takes an item whose value is damaged for absent, and counts it no more', async () => {
    const directory = tempDirectory();
    const open = await OpenCache.open(directory, 0);
    await open.set('k', bytesOf(5000, 1));
    await open.store.committed();
    const { readdirSync, truncateSync } = await import('node:fs');
    truncateSync(`${directory}/values/${readdirSync(`${directory}/values`)[0]}`, 100);
    expect(await open.get('k')).toBeUndefined();
    await open.close();
    expect((await checkStore(directory)).state.items).toBe(0);
  });
});
