import { messageOf, TugelaError } from '../errors.ts';
import type { Item, Place } from '../item.ts';
import type { CommitPipeline } from './commit-pipeline.ts';
import type { CommitStats } from './commit-stats.ts';
import type { Contents } from './contents.ts';
import { type RecordWrite, wholeRecord } from './value-log.ts';
import type { ValueSpace } from './value-space.ts';

/** A record of the value log at a new place, to which its item does not point yet. */
export interface Copy {
  readonly key: string;
  readonly place: Place;
  /** Where the item was when the copy was begun. */
  readonly from: Place;
  /** True while the item is still there. */
  readonly isOpen: boolean;
}

interface OpenCopy extends Copy {
  isOpen: boolean;
  /** The newest state of the item. */
  item: Item;
  /** Undefined once it is being written. */
  record: Buffer | undefined;
}

/**
 * Copies of records that are on their way to other segments. They are forced to disk before a row points to them: of a
 * value that was safe where it was the row may reach the disk at once, and the copy is all that it then has. Until it is
 * taken, an item stays where it was, and whatever is staged of it counts.
 */
export class Copies {
  readonly #contents: Contents;
  readonly #pipeline: CommitPipeline;
  readonly #space: ValueSpace;
  readonly #commits: CommitStats;
  /** By key: one may be on its way once. */
  readonly #open = new Map<string, OpenCopy>();
  /** How many of them are from which segment. */
  readonly #from = new Map<number, number>();
  readonly #underWay = new Set<Promise<void>>();

  /** `commits` is kept up to date. */
  constructor(contents: Contents, pipeline: CommitPipeline, space: ValueSpace, commits: CommitStats) {
    this.#contents = contents;
    this.#pipeline = pipeline;
    this.#space = space;
    this.#commits = commits;
  }

  /** Begins a copy of an item's record; `place` is one that `ValueSpace.reserveCopy` gave. */
  begin(key: string, item: Item, record: Buffer, place: Place): Copy {
    const before = this.#open.get(key);
    if (before !== undefined) this.#giveUp(before);
    const copy: OpenCopy = { key, place, from: item.place!, isOpen: true, item, record };
    this.#open.set(key, copy);
    const { segment } = copy.from;
    this.#from.set(segment, (this.#from.get(segment) ?? 0) + 1);
    return copy;
  }

  /** Notes what is staged of a key that has an item, null = deleted: a copy of a value that is not the item's any more is dead. */
  changed(key: string, old: Item, item: Item | null): void {
    // As a rule there is none. Keys of a whole round are more than a processor has at hand, segments are not.
    if (this.#open.size === 0 || old.place === undefined || !this.#from.has(old.place.segment)) return;
    const copy = this.#open.get(key);
    if (copy === undefined) return;
    const { from } = copy;
    if (item?.place !== undefined && item.place.segment === from.segment && item.place.offset === from.offset) copy.item = item;
    else this.#giveUp(copy);
  }

  /**
   * Writes copies to their places, those that were written before and those that are dead left out. Resolves when the operating
   * system has them.
   *
   * @throws TugelaError TUGELA_STORE_FAILED while writes are refused, or when the disk fails: then they are from now on
   */
  write(copies: readonly Copy[]): Promise<void> {
    return this.#tracked(async () => {
      const records: RecordWrite[] = [];
      let bytes = 0;
      for (const copy of copies as readonly OpenCopy[]) {
        if (!copy.isOpen || copy.record === undefined) continue;
        records.push(wholeRecord(copy.place, copy.record));
        bytes += copy.record.length;
        copy.record = undefined;
      }
      if (records.length > 0) await this.#contents.values.write(records);
      this.#commits.valueBytes += bytes;
    }, 'write to');
  }

  /** Forces copies to disk that were written. Throws as `write` does. */
  sync(copies: readonly Copy[]): Promise<void> {
    return this.#tracked(async () => {
      const segments = new Set<number>();
      for (const { isOpen, place } of copies) if (isOpen) segments.add(place.segment);
      if (segments.size === 0) return;
      await this.#contents.values.sync(segments);
      this.#commits.syncs++;
    }, 'force copies to disk in');
  }

  /** Ends a copy: returns the newest state of its item, which is to point to it now; undefined when it is dead. */
  take(copy: Copy): Item | undefined {
    // What was staged last may be lost, and with it what is known here.
    if (!copy.isOpen || this.#pipeline.failure !== undefined) return undefined;
    const open = copy as OpenCopy;
    this.#end(open);
    return open.item;
  }

  /** Gives up copies that were not taken. */
  drop(copies: readonly Copy[]): void {
    for (const copy of copies as readonly OpenCopy[]) if (copy.isOpen) this.#giveUp(copy);
  }

  /** Resolves when nothing is being written or forced to disk. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /** The contents were replaced: no copy is good any more. */
  clear(): void {
    for (const copy of this.#open.values()) copy.isOpen = false;
    this.#open.clear();
    this.#from.clear();
  }

  #end(copy: OpenCopy): void {
    copy.isOpen = false;
    this.#open.delete(copy.key);
    const { segment } = copy.from;
    const left = this.#from.get(segment)! - 1;
    if (left > 0) this.#from.set(segment, left);
    else this.#from.delete(segment);
  }

  #giveUp(copy: OpenCopy): void {
    this.#end(copy);
    if (this.#pipeline.failure !== undefined) return;
    if (copy.record !== undefined) {
      copy.record = undefined;
      // Who reads the segment from record to record must get past its place.
      this.#pipeline.staged.unused.push(copy.place);
      this.#pipeline.changed();
    }
    this.#space.giveBack(copy.place);
  }

  /** Nothing may be replaced or closed before it has ended. */
  #tracked(work: () => Promise<void>, what: string): Promise<void> {
    const { failure } = this.#pipeline;
    if (failure !== undefined) return Promise.reject(failure);
    const done = this.#failing(work, what).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
    return done;
  }

  async #failing(work: () => Promise<void>, what: string): Promise<void> {
    try {
      await work();
    } catch (cause) {
      // As after any failed write or sync: who can tell what is on disk?
      const failure = new TugelaError('TUGELA_STORE_FAILED', `Cannot ${what} store at ${this.#contents.directory}: ${messageOf(cause)}`, { cause });
      this.#pipeline.stop(failure);
      throw failure;
    }
  }
}
