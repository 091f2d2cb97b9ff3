import { afterEach, describe, expect, it, vi } from 'vitest';
import { EphemeralSweep } from '../../src/upkeep/ephemeral-sweep.ts';
import { failNextWrite, holdNextWrite } from '../issues/held-writes.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

const open = async (): Promise<OpenCache> => await OpenCache.open(tempDirectory(), undefined, undefined, undefined, { seconds: 10, limitBytes: 2 ** 20 });

describe('an item in memory alone', () => {
  it('gives way to what is on disk when the delete of that could not be written', async () => {
    const opened = await open();
    await opened.set('k', Buffer.from('on disk'));
    await opened.set('other', Buffer.from('short'), 5);
    await opened.store.inLevel();
    failNextWrite();
    await opened.set('k', Buffer.from('short'), 5);
    await expect(opened.store.inLevel()).rejects.toThrow();
    expect((await opened.get('k'))?.toString()).toBe('on disk');
    expect((await opened.get('other'))?.toString()).toBe('short');
    await opened.residency.whileQuiet(() => opened.store.reopen());
    await opened.set('k', Buffer.from('again'), 5);
    expect(await opened.delete('k')).toBe('deleted');
    await opened.close();
    expect([...(await checkStore(opened.directory)).items.keys()]).toEqual(['other']);
  });

  it('is acknowledged after the delete of what was on disk, by whomever it was replaced meanwhile', async () => {
    const opened = await open();
    await opened.set('k', Buffer.from('on disk'));
    await opened.store.inLevel();
    const write = holdNextWrite();
    await opened.set('k', Buffer.from('short'), 5);
    await write.begun;
    await opened.set('k', Buffer.from('short too'), 5);
    let isAcknowledged = false;
    const acknowledged = opened.store.inLevel().then(() => (isAcknowledged = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAcknowledged).toBe(false);
    write.release();
    await acknowledged;
    await opened.close();
  });

  it('leaves memory when it has expired or was flushed, and is counted once', async () => {
    const opened = await open();
    const sweep = new EphemeralSweep(opened.residency, opened.store);
    for (let i = 0; i < 2000; i++) await opened.set(`k${i}`, Buffer.from('v'), 5);
    await opened.set('later', Buffer.from('v'), 9);
    opened.clock.advance(5);
    sweep.start();
    while ((opened.store.ephemeral?.size ?? 0) > 1) await new Promise((resolve) => setImmediate(resolve));
    expect(opened.store.state).toMatchObject({ expired: 2000, items: 0 });
    expect(opened.store.items).toBe(1);
    opened.cache.flushAll(0);
    sweep.start();
    expect(opened.store.items).toBe(0);
    expect(opened.store.state.expired).toBe(2000);
    // What follows finds that the key is absent.
    expect(await opened.set('k1', Buffer.from('v'))).toBe('stored');
    expect(opened.store.items).toBe(1);
    await opened.close();
    await checkStore(opened.directory);
  });

  it('brings its counter of cas uniques to the disk long before a start could repeat one', async () => {
    const opened = await open();
    await opened.set('k', Buffer.from('v'), 5);
    await opened.store.inLevel();
    await opened.set('k', Buffer.from('v'), 5);
    expect(opened.store.hasPending).toBe(false);
    // As so many stores would.
    for (let i = 0; i < 2 ** 24; i++) opened.store.nextCas();
    expect(opened.store.hasPending).toBe(false);
    await opened.set('k', Buffer.from('v'), 5);
    expect(opened.store.hasPending).toBe(true);
    await opened.close();
  });
});
