import { afterEach, expect, it, vi } from 'vitest';
import { RowBatch } from '../../src/store/row-batch.ts';
import { Store } from '../../src/store/store.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { tempDirectory } from '../support/temp-directory.ts';

afterEach(() => vi.restoreAllMocks());

// A mutation staged by who was just told of a commit began a second loop: two groups were written side by side, in
// any order, and what the first of them held was taken for committed before it was.
it('one batch is written at a time, also when more is staged between two', async () => {
  const store = await Store.open(tempDirectory(), { blockCacheBytes: 2 ** 20, syncEveryBatch: true, onFailed: () => {} });
  const write: (this: RowBatch, sync: boolean) => Promise<void> = Reflect.get(RowBatch.prototype, 'write');
  let underWay = 0;
  let most = 0;
  let batches = 0;
  vi.spyOn(RowBatch.prototype, 'write').mockImplementation(async function counted(this: RowBatch, sync) {
    most = Math.max(most, ++underWay);
    batches++;
    // Longer than a turn of the event loop, in which the second loop would begin.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    await write.call(this, sync);
    underWay--;
  });
  const put = (key: string, cas: number): void => void store.put(key, undefined, buildItem({ value: bytesOf(3, 1), cas }));
  let rounds = 0;
  const again = (error: Error | undefined): void => {
    expect(error).toBeUndefined();
    put(`told ${rounds}`, store.nextCas());
    if (++rounds < 5) store.whenCommitted({ committed: again });
    // What arrives in the same turn, when the next group is on its way.
    queueMicrotask(() => put(`later ${rounds}`, store.nextCas()));
  };
  put('first', store.nextCas());
  store.whenCommitted({ committed: again });
  await vi.waitFor(() => expect(rounds).toBe(5));
  await store.close();
  expect(batches).toBeGreaterThan(5);
  expect(most).toBe(1);
});
