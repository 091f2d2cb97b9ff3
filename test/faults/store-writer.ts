import type { Item } from '../../src/item.ts';
import type { JobRow } from '../../src/store/job-row.ts';
import type { Store } from '../../src/store/store.ts';
import { recordsOf, type WalkedRecord } from '../../src/upkeep/segment-walk.ts';
import { ValueMover } from '../../src/upkeep/value-mover.ts';
import { buildItem } from '../support/build-item.ts';
import type { Random } from './random.ts';
import { marksOf, type Moment, nextMarksOf } from './moment.ts';

const KEYS = 12;
const INLINE_MOST = 256;
const OUT_OF_LINE_MOST = 3000;
const FAR = 4_000_000_000;
/** Items that a step of a job, or of what follows a flush, deletes. */
const STEP_ITEMS = 3;
/** How often empty segments are removed before a write. */
const REMOVALS = 0.1;
/** How many writes are over when they are committed, whether LevelDB has their rows or not. */
const DEFERRED = 0.5;
/** Prefixes of a few keys and of all. */
const PREFIXES = ['key 1', 'key '];

/** What a write does, as commands and upkeep do it: one batch each. */
export type WriteKind = 'put' | 'touch' | 'remove' | 'flush' | 'reclaim' | 'evict' | 'rewrite' | 'job';

/** How many of each kind are tried in so many writes, in any order. What there is nothing for becomes a put. */
const SHARES: Readonly<Record<WriteKind, number>> = { put: 20, touch: 5, remove: 3, flush: 1, reclaim: 2, evict: 1, rewrite: 4, job: 4 };
/** The kinds, each as often as that. */
const DECK: readonly WriteKind[] = (Object.keys(SHARES) as WriteKind[]).flatMap((kind) => Array.from({ length: SHARES[kind] }, () => kind));

/** What a key held after some write; an undefined value = nothing. */
export interface KeyState {
  readonly write: number;
  readonly value: string | undefined;
  /** The write that stored the value. A touch leaves it where it is; what is moved is on disk before it is anywhere else. */
  readonly placedBy: number;
}

/** Writes to a store, and remembers what every key held after each write, and what the store said of itself. */
export class StoreWriter {
  /** For each key all it ever held, in order. */
  readonly history = new Map<string, KeyState[]>();
  /** What the store said of itself after each write; in front, before the first. */
  readonly moments: Moment[] = [];
  /** Writes that the value log tells of, or that moved values: all that change items and nothing else. */
  readonly told = new Set<number>();
  /** How often each kind was written; whoever counts may begin anew. */
  readonly made = new Map<WriteKind, number>();
  readonly #store: Store;
  readonly #random: Random;
  /** All that is on disk, flushed items included. */
  readonly #items = new Map<string, Item>();
  #deck: WriteKind[] = [];
  #job: { readonly number: number; readonly row: JobRow } | undefined;

  private constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  static async on(store: Store, random: Random): Promise<StoreWriter> {
    const writer = new StoreWriter(store, random);
    writer.moments.push(await marksOf(store));
    return writer;
  }

  /** Number of the last write. */
  get writes(): number {
    return this.moments.length - 1;
  }

  /** One write, of this kind if there is something for it to do. */
  async write(kind: WriteKind = this.#draw()): Promise<void> {
    if (this.#store.emptySegments > 0 && this.#random.chance(REMOVALS)) await this.#store.removeEmpty();
    const made = (await this.#make(kind)) ? kind : 'put';
    if (made !== kind) this.#put();
    this.made.set(made, (this.made.get(made) ?? 0) + 1);
    if (this.#random.chance(DEFERRED)) {
      await new Promise<void>((resolve, reject) => this.#store.whenCommitted({ committed: (error) => (error === undefined ? resolve() : reject(error)) }));
      this.moments.push(await (this.#store.deferredItems > 0 ? nextMarksOf(this.#store) : marksOf(this.#store)));
    } else {
      await this.#store.inLevel();
      this.moments.push(await marksOf(this.#store));
    }
  }

  #draw(): WriteKind {
    if (this.#deck.length === 0) this.#deck = [...DECK];
    return this.#deck.splice(this.#random.between(0, this.#deck.length - 1), 1)[0]!;
  }

  /** False when there is nothing to do. */
  async #make(kind: WriteKind): Promise<boolean> {
    switch (kind) {
      case 'put':
        return this.#put();
      case 'touch':
        return this.#touch();
      case 'remove':
        return this.#remove();
      case 'flush':
        return this.#flush();
      case 'reclaim':
        return this.#reclaim();
      case 'evict':
        return this.#evict();
      case 'rewrite':
        return await this.#rewrite();
      case 'job':
        return this.#work();
    }
  }

  #put(): true {
    const key = `key ${this.#random.between(0, KEYS - 1)}`;
    const value = this.#value(key);
    const item = buildItem({ value: Buffer.from(value), cas: this.#store.nextCas(), expiresAt: this.#random.chance(0.3) ? FAR : 0 });
    this.#items.set(key, this.#store.put(key, this.#items.get(key), item));
    this.#note(key, value);
    this.told.add(this.writes + 1);
    return true;
  }

  #touch(): boolean {
    const key = this.#anyLive();
    const old = key === undefined ? undefined : this.#items.get(key);
    if (key === undefined || old === undefined) return false;
    const touched = { ...old, expiresAt: FAR + this.writes, cas: this.#store.nextCas() };
    this.#store.restate(key, old, touched);
    this.#items.set(key, touched);
    const { value, placedBy } = this.history.get(key)!.at(-1)!;
    this.#note(key, value, placedBy);
    this.told.add(this.writes + 1);
    return true;
  }

  #remove(): boolean {
    const key = this.#anyLive();
    if (key === undefined) return false;
    this.#drop(key);
    this.told.add(this.writes + 1);
    return true;
  }

  /** As flush_all: the watermark alone hides what there is. */
  #flush(): boolean {
    const live = this.#live();
    if (live.length === 0) return false;
    for (const key of live) this.#note(key, undefined);
    this.#store.changeState({ flushCas: this.#store.state.cas, flushAt: 0 });
    return true;
  }

  /** A step of what deletes flushed items behind a flush_all, or its end. */
  #reclaim(): boolean {
    const { flushCas, flushDone, reclaimedBytes } = this.#store.state;
    if (flushDone >= flushCas) return false;
    const dead = [...this.#items].filter(([, { cas }]) => cas <= flushCas).slice(0, STEP_ITEMS);
    for (const [key] of dead) this.#drop(key);
    if (dead.length === 0) this.#store.changeState({ flushDone: flushCas });
    else this.#store.changeState({ reclaimedBytes: reclaimedBytes + dead.length });
    return true;
  }

  #evict(): boolean {
    const key = this.#anyLive();
    if (key === undefined) return false;
    this.#drop(key);
    this.#store.moveHand(key);
    this.#store.changeState({ evicted: this.#store.state.evicted + 1 });
    return true;
  }

  /** Moves all that is alive in the oldest segment, some of it as what eviction keeps, so that the next sync removes the segment. */
  async #rewrite(): Promise<boolean> {
    const store = this.#store;
    const id = store.values.ids().find((segment) => store.segments.use(segment).liveItems > 0);
    if (id === undefined) return false;
    store.values.seal(id);
    const records: WalkedRecord[] = [];
    for await (const more of recordsOf(store, id)) records.push(...more.map((record) => ({ ...record, record: Buffer.from(record.record) })));
    const isKept = this.#random.chance(0.5);
    const mover = new ValueMover(store, (key, item) => this.#items.set(key, item));
    for (const record of records) {
      const item = this.#items.get(record.key);
      if (item?.place?.segment !== id || item.place.offset !== record.offset) continue;
      mover.take(record, item, isKept);
    }
    await mover.secure();
    mover.stage(records.length);
    this.told.add(this.writes + 1);
    return true;
  }

  /** A step of a delete of a prefix: its beginning, some items, or its end. */
  #work(): boolean {
    if (this.#job === undefined) {
      const prefix = PREFIXES[this.#random.between(0, PREFIXES.length - 1)]!;
      this.#job = { number: this.#store.nextCas(), row: { prefix, after: undefined, deleted: 0, bytes: 0 } };
      this.#store.changeJob(this.#job.number, this.#job.row);
      return true;
    }
    const { number, row } = this.#job;
    const older = [...this.#items].filter(([key, { cas }]) => key.startsWith(row.prefix) && key > (row.after ?? '') && cas <= number);
    const step = older
      .map(([key]) => key)
      .toSorted()
      .slice(0, STEP_ITEMS);
    for (const key of step) this.#drop(key);
    this.#job = step.length === 0 ? undefined : { number, row: { ...row, after: step.at(-1), deleted: row.deleted + step.length } };
    this.#store.changeJob(number, this.#job?.row);
    return true;
  }

  #drop(key: string): void {
    this.#store.remove(key, this.#items.get(key)!);
    this.#items.delete(key);
    this.#note(key, undefined);
  }

  /** Notes what a key holds after the write that is being made. */
  #note(key: string, value: string | undefined, placedBy: number = this.writes + 1): void {
    const states = this.history.get(key) ?? [{ write: 0, value: undefined, placedBy: 0 }];
    this.history.set(key, states);
    states.push({ write: this.writes + 1, value, placedBy });
  }

  #live(): string[] {
    const { flushCas } = this.#store.state;
    return [...this.#items].filter(([, { cas }]) => cas > flushCas).map(([key]) => key);
  }

  #anyLive(): string | undefined {
    const live = this.#live();
    return live.length === 0 ? undefined : live[this.#random.between(0, live.length - 1)];
  }

  /** A value that names its key and write to its end. */
  #value(key: string): string {
    const length = this.#random.between(0, this.#random.chance(0.4) ? OUT_OF_LINE_MOST : INLINE_MOST);
    const mark = `<${key} ${this.writes + 1}>`;
    return mark.padEnd(Math.max(mark.length, length), mark);
  }
}
