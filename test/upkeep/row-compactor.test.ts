import { describe, expect, it } from 'vitest';
import { Random } from '../bench/load/random.ts';
import { type LevelUse, Store } from '../../src/store/store.ts';
import { type DeadWeight, RowCompactor } from '../../src/upkeep/row-compactor.ts';
import { buildItem, bytesOf } from '../support/build-item.ts';
import { checkStore } from '../support/check-store.ts';
import { tempDirectory } from '../support/temp-directory.ts';

const KIB = 1024;
const LENGTH = 200;

/** A store with small tables on which commands can be played, and a compactor whose clock is moved by hand. */
class Fixture {
  readonly items = new Map<string, ReturnType<typeof buildItem>>();
  readonly directory: string;
  store!: Store;
  compactor!: RowCompactor;
  nowMs = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Fixture> {
    const fixture = new Fixture(tempDirectory());
    await fixture.reopen();
    return fixture;
  }

  async reopen(): Promise<void> {
    await (this.store as Store | undefined)?.close();
    this.store = await Store.open(this.directory, {
      blockCacheBytes: KIB * KIB,
      syncEveryBatch: false,
      onFailed: () => undefined,
      writeBufferBytes: 256 * KIB,
      tableBytes: KIB * KIB,
    });
    this.compactor = new RowCompactor(this.store, { deadMin: 64 * KIB, rangeBytes: KIB * KIB, nowMs: () => this.nowMs });
  }

  set(key: string, length = LENGTH): void {
    const cas = this.store.nextCas();
    this.items.set(key, this.store.put(key, this.items.get(key), buildItem({ value: bytesOf(length, cas), cas })));
  }

  delete(key: string): void {
    const old = this.items.get(key);
    if (old === undefined) return;
    this.store.remove(key, old);
    this.items.delete(key);
  }

  /** Plays something for each of some numbers, in batches. */
  async play(count: number, each: (n: number) => void): Promise<void> {
    for (let n = 0; n < count; n++) {
      each(n);
      if (n % 500 === 499) await this.store.inLevel();
    }
    await this.store.inLevel();
  }

  /** Compacts while it pays; returns the steps. */
  async compactAll(): Promise<number> {
    let steps = 0;
    for (;;) {
      this.nowMs += 60_000;
      const { runs } = await this.compactor.step();
      if (runs === 0) return steps;
      steps++;
      expect(steps).toBeLessThan(200);
    }
  }

  async tableBytes(): Promise<number> {
    return (await this.store.levelUse()).items;
  }

  /** What is weighed, and the files it was weighed by: again when LevelDB compacted meanwhile. */
  async weighWhileStill(): Promise<DeadWeight & { readonly use: LevelUse }> {
    for (let tries = 0; ; tries++) {
      const before = await this.store.levelUse();
      // Or what was seen last time is taken.
      this.nowMs += 60_000;
      const weight = await this.compactor.weigh();
      const use = await this.store.levelUse();
      if (before.items === use.items && before.logs === use.logs) return { ...weight, use };
      expect(tries).toBeLessThan(100);
    }
  }

  /** What the rows of the items take at least. */
  get rowBytes(): number {
    return [...this.items].reduce((sum, [key, { length }]) => sum + 1 + key.length + 26 + (length > 256 ? 12 : length), 0);
  }
}

function key(n: number): string {
  return `key ${String(n).padStart(8, '0')}`;
}

describe('RowCompactor', () => {
  it('finds nothing to do in a store without dead rows', async () => {
    const fixture = await Fixture.open();
    await fixture.play(20_000, (n) => fixture.set(key(n)));
    expect(await fixture.compactAll()).toBe(0);
    expect(fixture.compactor.done).toEqual({ runs: 0, bytes: 0 });
    await fixture.store.close();
  });

  it('gives back what deletes left, and keeps what is alive', async () => {
    const fixture = await Fixture.open();
    await fixture.play(30_000, (n) => fixture.set(key((n * 7919) % 30_000)));
    const full = await fixture.tableBytes();
    await fixture.play(30_000, (n) => void (n % 10 !== 0 && fixture.delete(key(n))));
    fixture.nowMs += 60_000;
    const before = await fixture.compactor.weigh();
    expect(before.worth).toBeGreaterThan(0);
    expect(await fixture.compactAll()).toBeGreaterThan(0);
    expect(await fixture.tableBytes()).toBeLessThan(0.15 * full);
    expect((await fixture.compactor.weigh()).dead).toBeLessThan(0.05 * full);
    expect(fixture.compactor.done.bytes).toBeGreaterThan(0);
    await fixture.store.close();
    expect([...(await checkStore(fixture.directory)).items.keys()]).toEqual([...fixture.items.keys()].toSorted());
  });

  it('compacts the range that is dead, not the rest', async () => {
    const fixture = await Fixture.open();
    await fixture.play(40_000, (n) => fixture.set(key(n)));
    await fixture.play(4000, (n) => fixture.delete(key(20_000 + n)));
    await fixture.compactAll();
    // A tenth of some 15 ranges.
    expect(fixture.compactor.done.runs).toBeGreaterThan(0);
    expect(fixture.compactor.done.runs).toBeLessThan(6);
    await fixture.store.close();
  });

  it('gives back rows that were stored and deleted again before they reached a table', async () => {
    const fixture = await Fixture.open();
    for (let n = 0; n < 20_000; n += 50) {
      await fixture.play(50, (i) => fixture.set(key(n + i)));
      await fixture.play(49, (i) => fixture.delete(key(n + i)));
    }
    expect(await fixture.tableBytes()).toBeGreaterThan(500 * KIB);
    await fixture.compactAll();
    expect(await fixture.tableBytes()).toBeLessThan(2 * fixture.rowBytes);
    await fixture.store.close();
    expect((await checkStore(fixture.directory)).items.size).toBe(400);
  });

  it('knows after a restart that most is dead, and gives it back', async () => {
    const fixture = await Fixture.open();
    await fixture.play(30_000, (n) => fixture.set(key(n)));
    await fixture.play(30_000, (n) => void (n % 10 !== 0 && fixture.delete(key(n))));
    await fixture.reopen();
    // LevelDB may have given some back by itself when it opened.
    const { dead, use } = await fixture.weighWhileStill();
    const truth = use.items + use.logs - fixture.rowBytes;
    expect(dead).toBeGreaterThan(0.5 * truth - 0.3 * fixture.rowBytes);
    expect(dead).toBeLessThan(truth + 0.6 * fixture.rowBytes);
    await fixture.compactAll();
    expect(await fixture.tableBytes()).toBeLessThan(2 * fixture.rowBytes);
    await fixture.store.close();
    expect((await checkStore(fixture.directory)).items.size).toBe(3000);
  });

  it('estimates what is dead within a factor, never below nothing, whatever is played', async () => {
    const fixture = await Fixture.open();
    const random = new Random(4);
    for (let round = 0; round < 8; round++) {
      await fixture.play(8000, () => {
        const some = key(random.below(12_000));
        if (random.unit() < 0.3 + 0.05 * round) fixture.delete(some);
        else fixture.set(some, random.unit() < 0.2 ? 1000 : random.below(250));
      });
      const { live, dead, worth, use } = await fixture.weighWhileStill();
      const { items, logs } = use;
      expect(fixture.store.state.rowBytes).toBe(fixture.rowBytes);
      const truth = items + logs - fixture.rowBytes;
      expect(dead).toBeGreaterThanOrEqual(0);
      expect(worth).toBeLessThanOrEqual(items);
      expect(live).toBeGreaterThan(0.7 * fixture.rowBytes);
      expect(dead).toBeGreaterThan(0.5 * truth - 0.3 * fixture.rowBytes);
      // LevelDB compacts by itself meanwhile.
      expect(dead).toBeLessThan(truth + 0.6 * fixture.rowBytes);
    }
    await fixture.compactAll();
    const { items } = await fixture.store.levelUse();
    expect(items).toBeLessThan(1.5 * fixture.rowBytes + 256 * KIB);
    await fixture.store.close();
    await checkStore(fixture.directory);
  });

  it('leaves a store alone that refuses writes', async () => {
    const fixture = await Fixture.open();
    await fixture.play(10_000, (n) => fixture.set(key(n)));
    await fixture.play(10_000, (n) => fixture.delete(key(n)));
    Object.defineProperty(fixture.store, 'failure', { value: new Error('no') });
    expect(await fixture.compactor.step()).toEqual({ runs: 0, bytes: 0 });
    await fixture.store.close();
  });

  it('does one step at a time', async () => {
    const fixture = await Fixture.open();
    await fixture.play(10_000, (n) => fixture.set(key(n)));
    await fixture.play(10_000, (n) => fixture.delete(key(n)));
    fixture.nowMs += 60_000;
    const both = await Promise.all([fixture.compactor.step(), fixture.compactor.step()]);
    expect(both.reduce((sum, { runs }) => sum + runs, 0)).toBe(1);
    await fixture.store.close();
  });
});
