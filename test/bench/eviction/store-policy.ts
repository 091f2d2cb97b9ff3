import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Hit } from '../../../src/cache/hit.ts';
import { ReadSketch } from '../../../src/ram/read-sketch.ts';
import { RECORD_HEAD_BYTES } from '../../../src/store/item-row.ts';
import type { Store } from '../../../src/store/store.ts';
import type { DiskBudget } from '../../../src/upkeep/disk-budget.ts';
import { Evictor } from '../../../src/upkeep/evictor.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { keyRange, OpenCache } from '../../support/open-cache.ts';
import { keyOf, type Policy, ROW_BYTES } from './policy.ts';

const MIB = 2 ** 20;
/** Hits are the same with any RAM tier; this one saves reads from disk. */
const RAM_BYTES = 64 * MIB;
/** As DiskBudget divides a limit. */
const SEGMENTS = 64;
/** From `begin` down to `low`, a share of the capacity as in DiskBudget. */
const LOW_SHARE = 0.015;
/** Bytes staged above which the store gets time to write. */
const PENDING_BYTES = 256 * 1024;
const NOBODY = new AbortController().signal;
const NO_VALUE = Buffer.alloc(0);

/** The real thing: Cache, Store and Evictor of the server, in a directory of its own. */
export class StorePolicy implements Policy {
  readonly #directory: string;
  readonly #open: OpenCache;
  readonly #evictor: Evictor;
  readonly #hit = new Hit();
  /** All values are parts of this. */
  #bytes = NO_VALUE;

  private constructor(directory: string, open: OpenCache, capacity: number) {
    this.#directory = directory;
    this.#open = open;
    const { cache, store } = open;
    const sketch = new ReadSketch(0);
    cache.sketch = sketch;
    this.#evictor = new Evictor({ cache, store, sketch, budget: itemsBudget(capacity, () => this.#evictor.used - store.values.bytes - rowBytes(store)), onEvicted: () => {} });
  }

  /** `parent` gets a directory that is removed by `close`; `capacity` is for value segments and for rows with values in them, as `itemBytes` counts these. */
  static async start(parent: string, capacity: number): Promise<StorePolicy> {
    const directory = mkdtempSync(join(parent, 'store-'));
    const open = await OpenCache.open(directory, RAM_BYTES, new ManualClock(), Math.ceil(capacity / SEGMENTS));
    const policy = new StorePolicy(directory, open, capacity);
    await policy.#evictor.measure(true);
    return policy;
  }

  get copied(): number {
    return this.#evictor.done.keptBytes;
  }

  async get(key: number): Promise<boolean> {
    const name = keyOf(key);
    const range = keyRange(name);
    return (await this.#open.run(name, true, () => this.#open.cache.fetch(range, undefined, this.#hit))) === true;
  }

  async set(key: number, valueBytes: number): Promise<void> {
    if (valueBytes > this.#bytes.length) this.#bytes = Buffer.alloc(valueBytes, 'v');
    await this.#open.set(keyOf(key), this.#bytes.subarray(0, valueBytes));
    if (this.#open.store.pendingBytes > PENDING_BYTES) await this.#open.store.inLevel();
    if (this.#evictor.excess > 0) await this.#evictor.evict(Number.POSITIVE_INFINITY, NOBODY);
  }

  async delete(key: number): Promise<void> {
    await this.#open.delete(keyOf(key));
  }

  async close(): Promise<void> {
    await this.#open.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Bytes of the items that lie in rows as a whole. */
function rowBytes({ state, segments }: Store): number {
  let bytes = state.bytes;
  let items = state.items;
  for (const [, use] of segments.entries()) {
    bytes -= use.liveBytes - use.liveItems * RECORD_HEAD_BYTES;
    items -= use.liveItems;
  }
  return bytes + items * ROW_BYTES;
}

/** Marks for the bytes of items alone: what LevelDB takes besides, `level`, is added to each. There is never a hurry. */
function itemsBudget(capacity: number, level: () => number): DiskBudget {
  const segmentBytes = Math.ceil(capacity / SEGMENTS);
  return {
    limit: Number.MAX_SAFE_INTEGER,
    get low() {
      return level() + capacity - Math.max(LOW_SHARE * capacity, segmentBytes);
    },
    get begin() {
      return level() + capacity;
    },
    high: Number.MAX_SAFE_INTEGER,
    full: Number.MAX_SAFE_INTEGER,
    segmentBytes,
    writeBufferBytes: MIB,
    tableBytes: MIB,
  };
}
