import type { Item, Place } from '../item.ts';
import type { Copy, Store } from '../store/store.ts';
import { CopyBuffer } from './copy-buffer.ts';
import type { WalkedRecord } from './segment-walk.ts';

/** Bytes of copies that are written together. */
const WRITE_BYTES = 2 ** 18;
/** Bytes of copies, and how many of them, that are forced to disk together: an fdatasync for a few MiB, and as much memory as that takes. */
const ROUND_BYTES = 4 * 2 ** 20;
const ROUND_COPIES = 4096;

/**
 * Moves values out of a segment, in rounds: some are copied, the copies are forced to disk, then items are made to point to
 * them. So a loss of power takes nothing that was on disk before, whatever of all this it lets through. An item that changes
 * meanwhile stays as it was made.
 */
export class ValueMover {
  readonly #store: Store;
  readonly #onMoved: (key: string, item: Item, from: Place) => void;
  readonly #buffer = new CopyBuffer();
  #round: Copy[] = [];
  #roundBytes = 0;
  #unwritten: Copy[] = [];
  #unwrittenBytes = 0;

  /** `onMoved` is told of each item whose move was staged, and where its value was, in the same step. */
  constructor(store: Store, onMoved: (key: string, item: Item, from: Place) => void) {
    this.#store = store;
    this.#onMoved = onMoved;
  }

  /** True when it is time to end the round. */
  get isFull(): boolean {
    return this.#roundBytes >= ROUND_BYTES || this.#round.length >= ROUND_COPIES;
  }

  /** Takes the item of a record along; `item` and `isKept` as for `Store.copy`. Not while one of the calls below is waited for. */
  take({ key, record, isOwn }: Pick<WalkedRecord, 'key' | 'record' | 'isOwn'>, item: Item, isKept?: boolean): void {
    const copy = this.#store.copy(key, item, isOwn ? record : this.#buffer.copy(record), isKept);
    this.#round.push(copy);
    this.#roundBytes += record.length;
    this.#unwritten.push(copy);
    this.#unwrittenBytes += record.length;
  }

  /** True when it has taken along so many items, and none of them has changed since. */
  hasAll(items: number): boolean {
    return this.#round.length >= items && this.#round.filter(({ isOpen }) => isOpen).length >= items;
  }

  /** Writes what was taken along, once it is enough to be worth it. */
  async write(): Promise<void> {
    if (this.#unwrittenBytes >= WRITE_BYTES) await this.#write();
  }

  /** Forces what was taken along to disk, so that it may be staged. */
  async secure(): Promise<void> {
    await this.#write();
    await this.#store.copies.sync(this.#round);
  }

  /** Stages the next moves, `limit` at most. Returns how many; 0 = the round is over. REQUIRES: they were secured. */
  stage(limit: number): number {
    const copies = this.#round.splice(0, limit);
    for (const copy of copies) {
      const item = this.#store.relocate(copy);
      if (item !== undefined) this.#onMoved(copy.key, item, copy.from);
    }
    if (this.#round.length === 0) this.#roundBytes = 0;
    return copies.length;
  }

  /** Leaves all items that are not staged where they are. */
  drop(): void {
    this.#store.copies.drop(this.#round);
    this.#round = [];
    this.#roundBytes = 0;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
  }

  async #write(): Promise<void> {
    const copies = this.#unwritten;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
    await this.#store.copies.write(copies);
    this.#buffer.reset();
  }
}
