import { setTimeout as sleep } from 'node:timers/promises';
import { type DataSet, isKept, keyOf, type SetMaker } from './data-set.ts';
import type { Pipe } from './pipe.ts';

/** Requests on their way at once. */
const BATCH = 200;

/** Goes over ids in batches. */
async function inBatches(items: number, wanted: (id: number) => boolean, work: (ids: number[]) => Promise<void>): Promise<void> {
  for (let next = 0; next < items; ) {
    const ids: number[] = [];
    for (; next < items && ids.length < BATCH; next++) if (wanted(next)) ids.push(next);
    if (ids.length > 0) await work(ids);
  }
}

/** Stores all items; those that do not stay expire at `expiresAt` (Unix seconds; 0 = never). */
export async function storeAll(data: DataSet, pipe: Pipe, sets: SetMaker, expiresAt: number): Promise<void> {
  await inBatches(data.items, () => true, async (ids) => void (await pipe.ask(sets.requests(ids, expiresAt), ids.length)));
  await pipe.ask('sync\r\n', 1);
}

/** Has nine tenths go; resolves when the last command for it is answered. */
export async function removeMost(data: DataSet, pipe: Pipe, sets: SetMaker, expiresAt: number): Promise<void> {
  switch (data.way) {
    case 'delete':
      await inBatches(data.items, (id) => !isKept(id), async (ids) => void (await pipe.ask(ids.map((id) => `delete ${keyOf(data, id)}\r\n`).join(''), ids.length)));
      return;
    case 'prefix':
      await pipe.ask('expire delete gone%3A\r\n', 1);
      return;
    case 'expire':
      await sleep(Math.max(0, expiresAt * 1000 - Date.now()));
      return;
    case 'flush':
      await pipe.ask('flush_all\r\n', 1);
      await inBatches(data.items, isKept, async (ids) => void (await pipe.ask(sets.requests(ids, 0), ids.length)));
  }
}
