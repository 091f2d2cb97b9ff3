import { describe, expect, it } from 'vitest';
import { SizeHistogram } from '../../src/upkeep/size-histogram.ts';
import { bytesOf } from '../support/build-item.ts';
import { OpenCache } from '../support/open-cache.ts';
import { tempDirectory } from '../support/temp-directory.ts';

/** What memcached counts for an item under a key of one byte besides its value. */
const OVERHEAD = 60;

describe('SizeHistogram', () => {
  it('is empty for an empty store', async () => {
    const open = await OpenCache.open(tempDirectory());
    expect(await new SizeHistogram(open.cache, open.store).count()).toEqual([]);
    await open.close();
  });

  it('counts live items in steps of 32 bytes of their whole size, smallest first', async () => {
    const open = await OpenCache.open(tempDirectory());
    await open.set('a', bytesOf(5000 - OVERHEAD, 1));
    await open.set('b', bytesOf(64 - OVERHEAD, 1));
    await open.set('c', bytesOf(64 - OVERHEAD + 1, 1));
    await open.set('d', bytesOf(96 - OVERHEAD, 1));
    await open.set('e', bytesOf(100, 1), 5);
    open.clock.advance(5);
    expect(await new SizeHistogram(open.cache, open.store).count()).toEqual([
      { size: 64, count: 1 },
      { size: 96, count: 2 },
      { size: 5024, count: 1 },
    ]);
    await open.close();
  });

  it('counts for each who asks what was stored before', async () => {
    const open = await OpenCache.open(tempDirectory());
    const histogram = new SizeHistogram(open.cache, open.store);
    const first = histogram.count();
    await open.set('a', bytesOf(1, 1));
    await open.store.inLevel();
    const second = histogram.count();
    const third = histogram.count();
    await first;
    expect(await second).toEqual([{ size: 64, count: 1 }]);
    expect(await third).toEqual(await second);
    await open.delete('a');
    expect(await histogram.count()).toEqual([]);
    await open.close();
  });
});
