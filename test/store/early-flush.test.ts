import { ClassicLevel } from 'classic-level';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EarlyFlush } from '../../src/store/early-flush.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const MB = 2 ** 20;

afterEach(() => vi.restoreAllMocks());

/** A database whose flushes end when a test says so. */
class FakeLevel {
  flushes = 0;
  #end: (error?: Error) => void = () => undefined;

  readonly compactRange = (): Promise<void> => {
    this.flushes++;
    return new Promise((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
    });
  };

  async end(error?: Error): Promise<void> {
    this.#end(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Writes so many batches of a quarter of a megabyte; returns how often that flushed, each flush being over at once. */
async function write(rowBytes: number, writeBufferBytes: number, batches: number): Promise<number> {
  const level = new FakeLevel();
  const flush = new EarlyFlush(
    () => level,
    () => rowBytes,
    writeBufferBytes,
  );
  for (let i = 0; i < batches; i++) {
    flush.wrote(MB / 4);
    await level.end();
  }
  return level.flushes;
}

describe('EarlyFlush', () => {
  it('flushes for every 2 MB of a small store', async () => {
    expect(await write(MB, 16 * MB, 40)).toBe(5);
  });

  it('flushes for a third of the rows of a larger one', async () => {
    expect(await write(10 * MB, 16 * MB, 42)).toBe(3);
  });

  it.each([
    [12, 16],
    [6, 8],
    [1, 4],
  ])('leaves a store with %i MB of rows and a write buffer of %i MB to LevelDB', async (rows, buffer) => {
    expect(await write(rows * MB, buffer * MB, 100)).toBe(0);
  });

  it('flushes once at a time, and again when that is over or has failed', async () => {
    const level = new FakeLevel();
    const flush = new EarlyFlush(
      () => level,
      () => 0,
      16 * MB,
    );
    flush.wrote(2 * MB);
    flush.wrote(2 * MB);
    expect(level.flushes).toBe(1);
    await level.end();
    flush.wrote(1);
    expect(level.flushes).toBe(2);
    await level.end(new Error('disk full'));
    flush.wrote(2 * MB);
    expect(level.flushes).toBe(3);
    await level.end();
  });

  it('puts what was stored into tables, where it is found again', async () => {
    const flushes = vi.spyOn(ClassicLevel.prototype, 'compactRange');
    const open = await OpenCache.open(tempDirectory(), 0);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    for (let round = 0; flushes.mock.calls.length === 0; round++) {
      expect(round).toBeLessThan(100);
      await Promise.all(keys.map((key) => open.set(key, bytesOf(250, round))));
      await open.store.inLevel();
    }
    await Promise.all(flushes.mock.results.map(({ value }) => value));
    expect(open.store.itemTables()).toHaveLength(1);
    expect((await open.get('k99'))?.length).toBe(250);
    await open.close();
  });
});
