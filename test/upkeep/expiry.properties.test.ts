import { cpSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import pino from 'pino';
import { SweepStats } from '../../daemon/stats.ts';
import { Sweeper } from '../../daemon/sweeper.ts';
import { FlushReclaim } from '../../src/upkeep/flush-reclaim.ts';
import { PrefixDelete } from '../../src/upkeep/prefix-delete.ts';
import { ValueCollector } from '../../src/upkeep/value-collector.ts';
import { checkStore } from '../support/check-store.ts';
import { OpenCache } from '../support/open-cache.ts';
import { withTempDirectory } from '../support/temp-directory.ts';

const NEVER = new AbortController().signal;
const DAY = 86_400;
const SEGMENT_BYTES = 32 * 1024;

/** What is under a key; `number` orders stores, as the cas unique does. */
interface Known {
  readonly value: string;
  readonly expiresAt: number;
  readonly storedAt: number;
  readonly number: number;
}

type Step =
  | { readonly kind: 'set'; readonly key: string; readonly length: number; readonly exptime: number }
  | { readonly kind: 'touch'; readonly key: string; readonly exptime: number }
  | { readonly kind: 'get' | 'delete'; readonly key: string }
  | { readonly kind: 'clock'; readonly seconds: number }
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'age'; readonly days: number }
  | { readonly kind: 'commit' | 'sweep' | 'sweepSome' | 'flush' | 'reclaim' | 'jobs' | 'collect' | 'sync' | 'reopen' | 'crash' };

const key = fc.tuple(fc.constantFrom('a', 'ab', 'b'), fc.nat(5)).map(([prefix, i]) => `${prefix}:${i}`);
const exptime = fc.constantFrom(0, 1, 5, 30, 300, 5000, 20 * DAY);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constant('set' as const), key, length: fc.constantFrom(3, 200, 300, 3000, 20_000), exptime }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('touch' as const), key, exptime }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('get' as const, 'delete' as const), key }) },
  // Ages below are whole binary fractions of a day, so that no rounding decides.
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('clock' as const), seconds: fc.constantFrom(1, 4, 60, 6000, 3 * DAY) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prefix' as const), prefix: fc.constantFrom('a', 'ab', 'b:1') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('age' as const), days: fc.constantFrom(1 / 128, 1 / 16, 2) }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'sweep' as const, 'sweepSome' as const, 'sync' as const, 'collect' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'reclaim' as const, 'jobs' as const, 'reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
);

/** What must be there: one state per key, and after a crash one of those since the last commit. */
class Expected {
  readonly #now = new Map<string, Known | undefined>();
  #sinceCommit = new Map<string, (Known | undefined)[]>();
  /** Prefixes that are to be deleted, with the number of the last store that is. */
  jobs: { readonly prefix: string; readonly upTo: number }[] = [];
  #number = 0;

  get number(): number {
    return this.#number;
  }

  keys(): string[] {
    return [...this.#now.keys()];
  }

  /** What a client finds. */
  find(key: string, now: number): Known | undefined {
    const known = this.#now.get(key);
    return known === undefined || (known.expiresAt !== 0 && known.expiresAt <= now) ? undefined : known;
  }

  store(key: string, known: Omit<Known, 'number'>): void {
    this.change(key, { ...known, number: ++this.#number });
  }

  change(key: string, known: Known | undefined): void {
    const before = this.#sinceCommit.get(key) ?? [];
    this.#sinceCommit.set(key, [...before, this.#now.get(key)]);
    this.#now.set(key, known);
  }

  removeAll(isDead: (known: Known, key: string) => boolean): void {
    for (const [key, known] of this.#now) if (known !== undefined && isDead(known, key)) this.change(key, undefined);
  }

  committed(): void {
    this.#sinceCommit = new Map();
  }

  /** Takes what a crash left of a key for the truth, if it may be that. */
  crashed(key: string, value: string | undefined, expiresAt: number | undefined, now: number): void {
    const possible = [this.#now.get(key), ...(this.#sinceCommit.get(key) ?? [])];
    const isAlive = (known: Known | undefined): boolean => known !== undefined && (known.expiresAt === 0 || known.expiresAt > now);
    const survivor = possible.find((known) => (value === undefined ? !isAlive(known) : isAlive(known) && known?.value === value && known?.expiresAt === expiresAt));
    if (value !== undefined || !possible.some((known) => !isAlive(known))) expect(survivor?.value, `${key} after a crash`).toBe(value);
    this.#now.set(key, survivor);
  }
}

/** A cache with all that works on it in the background, and what must be in it. */
class World {
  open: OpenCache;
  readonly expected = new Expected();
  #prefixes: PrefixDelete;
  readonly #directory: string;
  readonly #ramBytes: number;

  private constructor(open: OpenCache, directory: string, ramBytes: number) {
    this.open = open;
    this.#directory = directory;
    this.#ramBytes = ramBytes;
    this.#prefixes = this.#newPrefixes();
  }

  static async create(directory: string, ramBytes: number): Promise<World> {
    return new World(await OpenCache.open(join(directory, 'store'), ramBytes, undefined, SEGMENT_BYTES), directory, ramBytes);
  }

  async take(step: Step): Promise<void> {
    const { open, expected } = this;
    const now = open.clock.now();
    switch (step.kind) {
      case 'set': {
        const value = `${expected.number}`.padEnd(step.length, '.');
        expect(await open.set(step.key, Buffer.from(value), step.exptime)).toBe('stored');
        return expected.store(step.key, { value, expiresAt: step.exptime === 0 ? 0 : now + step.exptime, storedAt: now });
      }
      case 'touch': {
        const known = expected.find(step.key, now);
        expect(await open.touch(step.key, step.exptime)).toBe(known === undefined ? 'not_found' : 'touched');
        if (known !== undefined) expected.change(step.key, { ...known, expiresAt: step.exptime === 0 ? 0 : now + step.exptime });
        return;
      }
      case 'delete':
        expect(await open.delete(step.key)).toBe(expected.find(step.key, now) === undefined ? 'not_found' : 'deleted');
        return expected.change(step.key, undefined);
      case 'get':
        return this.#expectValue(step.key);
      case 'clock':
        return open.clock.advance(step.seconds);
      case 'commit':
        return this.#commit();
      case 'sync':
        await open.store.sync();
        return expected.committed();
      case 'sweep':
        return this.sweep();
      case 'sweepSome': {
        const { rows, seen } = await open.target.due(3);
        if (rows.length > 0) await open.target.reap(seen, rows.map(({ id }) => id));
        return;
      }
      case 'flush':
        open.cache.flushAll(0);
        return expected.removeAll(() => true);
      case 'reclaim':
        await this.#commit();
        return new FlushReclaim(open.residency, open.store).run(NEVER);
      case 'prefix':
        await this.#prefixes.start(step.prefix);
        expected.committed();
        expected.jobs.push({ prefix: step.prefix, upTo: expected.number });
        return;
      case 'jobs':
        return this.#runJobs();
      case 'age': {
        // A list does not see what is only staged.
        await this.#commit();
        await this.#sweeper(step.days).sweepOnce(NEVER);
        expected.removeAll(({ storedAt }) => storedAt < now - step.days * DAY);
        return expected.committed();
      }
      case 'collect':
        await new ValueCollector(open.residency, open.store).run(() => open.clock.now(), NEVER);
        return;
      case 'reopen':
        await open.close();
        await checkStore(open.directory);
        await open.reopen();
        expected.committed();
        this.#prefixes = this.#newPrefixes();
        return;
      case 'crash':
        return this.#crash();
    }
  }

  /** Sweeps until nothing is due, then looks for what should have gone. */
  async sweep(): Promise<void> {
    await this.#commit();
    await this.#sweeper().sweepOnce(NEVER);
    this.expected.committed();
    const { store, clock } = this.open;
    const { found } = await store.scan('', undefined, 10_000);
    const overdue = found.filter(({ item }) => item.expiresAt !== 0 && item.expiresAt + 2 ** item.ttlShift <= clock.now());
    expect(overdue.map(({ key }) => key)).toEqual([]);
  }

  /** Ends everything that can end, and expects to find what lives for ever, and nothing else. */
  async finish(): Promise<void> {
    await this.#runJobs();
    this.open.clock.advance(30 * DAY);
    await this.sweep();
    await new FlushReclaim(this.open.residency, this.open.store).run(NEVER);
    for (const key of this.expected.keys()) await this.#expectValue(key);
    const alive = this.expected.keys().filter((key) => this.expected.find(key, this.open.clock.now()) !== undefined);
    const { state } = this.open.store;
    expect(state).toMatchObject({ items: alive.length, indexEntries: 0 });
    await this.open.close();
    expect([...(await checkStore(this.open.directory)).items.keys()].toSorted()).toEqual(alive.toSorted());
  }

  async #commit(): Promise<void> {
    await this.open.store.inLevel();
    this.expected.committed();
  }

  async #runJobs(): Promise<void> {
    // With nothing to run it waits for no commit.
    const { isNeeded } = this.#prefixes;
    await this.#prefixes.run(NEVER);
    if (!isNeeded) return;
    this.expected.committed();
    for (const { prefix, upTo } of this.expected.jobs) this.expected.removeAll(({ number }, key) => key.startsWith(prefix) && number <= upTo);
    this.expected.jobs = [];
    this.expected.committed();
  }

  /** Goes on with what is on disk at this very moment, as after kill -9. */
  async #crash(): Promise<void> {
    const before = this.open;
    const copy = join(mkdtempSync(join(this.#directory, 'crash-')), 'store');
    cpSync(before.directory, copy, { recursive: true });
    await before.close();
    await checkStore(copy);
    this.open = await OpenCache.open(copy, this.#ramBytes, before.clock, SEGMENT_BYTES);
    // Or LevelDB does it at a time of its own, perhaps while the next copy is made.
    await this.open.store.compactAll();
    this.#prefixes = this.#newPrefixes();
    for (const key of this.expected.keys()) {
      const value = (await this.open.get(key))?.toString('latin1');
      // A touch that was not committed leaves the same value with another time of expiry.
      const [item] = await this.open.store.fetch([key]);
      this.expected.crashed(key, value, item?.expiresAt, this.open.clock.now());
    }
    await this.#commit();
  }

  async #expectValue(key: string): Promise<void> {
    const found = await this.open.get(key);
    expect(found?.toString('latin1'), key).toBe(this.expected.find(key, this.open.clock.now())?.value);
  }

  #newPrefixes(): PrefixDelete {
    return new PrefixDelete(this.open.residency, this.open.store, () => 0, () => Promise.resolve());
  }

  #sweeper(olderThanDays?: number): Sweeper {
    const { target, clock } = this.open;
    return new Sweeper({
      target,
      settings: { batch: 20, maxRate: 0, intervalMs: 1000, olderThanDays },
      stats: new SweepStats(),
      clock: { nowMs: () => performance.now(), unixSeconds: () => clock.now(), pause: () => Promise.resolve() },
      logger: pino({ level: 'silent' }),
      random: () => 0,
    });
  }
}

describe('expiry', () => {
  it('loses nothing that lives and leaves nothing that is over, whatever is done to items, crashes included', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 32_000, 2 ** 20), fc.array(step, { minLength: 15, maxLength: 60 }), async (ramBytes, steps) => {
        await withTempDirectory(async (directory) => {
          const world = await World.create(directory, ramBytes);
          for (const step of steps) await world.take(step);
          await world.finish();
        });
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
