import type { Clock } from '../clock.ts';
import type { Item } from '../item.ts';
import { STEP_BYTES } from '../steps.ts';

/** Bytes counted for an item besides key and value: what Node takes for it was 500 to 600 (docs/expiry.md). */
const ITEM_BYTES = 512;

/** Bytes that may be kept alive for the sake of a large value beside it. */
const SPARE_BYTES = 4096;

/** Which items stay in memory, and how many. */
export interface EphemeralOptions {
  /** The longest time to live of such an item, in seconds. */
  readonly seconds: number;
  /** Bytes of keys, values and bookkeeping; what does not fit is stored on disk. */
  readonly limitBytes: number;
  readonly clock: Clock;
}

/** A key, as a latin1 string, and its item. */
interface KeyedItem {
  readonly key: string;
  readonly item: Item;
}

/**
 * Items with so short a time to live that they are kept in memory alone: no row, no record, no index entry. What is
 * here is the newest state of its key, and nothing of the key is on disk, or a delete of it is staged.
 *
 * In the order of their cas uniques, so that what is older than a flush, or than a walk, is at the front.
 */
export class EphemeralItems {
  readonly #options: EphemeralOptions;
  readonly #items = new Map<string, Item>();
  /** Keys by the second in which their items expire. */
  readonly #due = new Map<number, Set<string>>();
  readonly #walks = new Set<EphemeralWalk>();
  #bytes = 0;
  /** Bytes of keys and values alone. */
  #itemBytes = 0;
  /** Stores kept in memory, and stores that did not fit. */
  readonly counts: { stored: number; overflows: number } = { stored: 0, overflows: 0 };

  constructor(options: EphemeralOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#items.size;
  }

  /** Bytes in use, of `limitBytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of keys and values, as the store counts those on disk. */
  get itemBytes(): number {
    return this.#itemBytes;
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  get(key: string): Item | undefined {
    return this.#items.get(key);
  }

  /** True for a time of expiry that is near enough, seen from `now`. */
  isShort(expiresAt: number, now: number = this.#options.clock.now()): boolean {
    return expiresAt !== 0 && expiresAt - now <= this.#options.seconds;
  }

  /**
   * Keeps an item, with a copy of its value, or a large one that has its memory to itself as it is: that must never change.
   * Undefined, and what was here of the key is gone, when there is no room.
   */
  put(key: string, item: Item): Item | undefined {
    this.delete(key);
    if (this.#bytes + sizeOf(key, item) > this.#options.limitBytes) {
      this.counts.overflows++;
      return undefined;
    }
    const kept: Item = { ...item, value: withOwnMemory(item.value!), place: undefined };
    this.counts.stored++;
    this.#add(key, kept);
    return kept;
  }

  /** Changes what is known of an item that is here; its value stays. Returns it whole. */
  restate(key: string, item: Item): Item {
    const old = this.#items.get(key)!;
    const kept: Item = { ...item, value: old.value, place: undefined };
    if (kept.cas !== old.cas) {
      this.delete(key);
      this.#add(key, kept);
      return kept;
    }
    this.#items.set(key, kept);
    if (kept.expiresAt !== old.expiresAt) {
      this.#unlist(key, old.expiresAt);
      this.#list(key, kept.expiresAt);
    }
    return kept;
  }

  /** Forgets a key. */
  delete(key: string): boolean {
    const item = this.#items.get(key);
    if (item === undefined) return false;
    this.#items.delete(key);
    this.#bytes -= sizeOf(key, item);
    this.#itemBytes -= key.length + item.length;
    this.#unlist(key, item.expiresAt);
    return true;
  }

  /** Hands over an item that is to live on, as it is, on disk. */
  release(key: string): Item | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    this.delete(key);
    for (const walk of this.#walks) walk.left(key, item.cas);
    return item;
  }

  /** Forgets items that are expired, or have a cas unique up to `flushCas`: `limit` at most, which it returns. */
  takeDead(flushCas: number, limit: number): KeyedItem[] {
    const dead: KeyedItem[] = [];
    const take = (key: string): boolean => {
      dead.push({ key, item: this.#items.get(key)! });
      this.delete(key);
      return dead.length >= limit;
    };
    for (const [key, item] of this.#items) {
      if (item.cas > flushCas) break;
      if (take(key)) return dead;
    }
    const now = this.#options.clock.now();
    for (const [expiresAt, keys] of this.#due) {
      if (expiresAt > now) continue;
      for (const key of keys) if (take(key)) return dead;
    }
    return dead;
  }

  isExpired({ expiresAt }: Item): boolean {
    return expiresAt <= this.#options.clock.now();
  }

  /** A walk over all items with a cas unique up to `upToCas`. Must be ended. */
  walk(upToCas: number): EphemeralWalk {
    const walk: EphemeralWalk = new EphemeralWalk(this.#items, upToCas, () => this.#walks.delete(walk));
    this.#walks.add(walk);
    return walk;
  }

  /** Items in key order: those that begin with `prefix`, after the key `after` and up to the key `upTo`, `limit` at most. */
  between(prefix: string, after: string | undefined, upTo: string | undefined, limit: number): KeyedItem[] {
    let keys: string[] = [];
    let most = upTo;
    for (const key of this.#items.keys()) {
      if (!key.startsWith(prefix) || (after !== undefined && key <= after) || (most !== undefined && key > most)) continue;
      keys.push(key);
      // So that as few are sorted as are asked for, however many there are.
      if (keys.length >= 2 * limit) {
        keys = keys.toSorted(byBytes).slice(0, limit);
        most = keys.at(-1);
      }
    }
    return keys
      .toSorted(byBytes)
      .slice(0, limit)
      .map((key) => ({ key, item: this.#items.get(key)! }));
  }

  #add(key: string, item: Item): void {
    this.#items.set(key, item);
    this.#bytes += sizeOf(key, item);
    this.#itemBytes += key.length + item.length;
    this.#list(key, item.expiresAt);
  }

  #list(key: string, expiresAt: number): void {
    const keys = this.#due.get(expiresAt);
    if (keys === undefined) this.#due.set(expiresAt, new Set([key]));
    else keys.add(key);
  }

  #unlist(key: string, expiresAt: number): void {
    const keys = this.#due.get(expiresAt);
    if (keys?.delete(key) === true && keys.size === 0) this.#due.delete(expiresAt);
  }
}

/**
 * A walk over ephemeral items, oldest first, a few at a time, while they change. One that is there throughout comes
 * once; one that is stored after the walk began does not come.
 */
export class EphemeralWalk {
  readonly #items: MapIterator<[string, Item]>;
  readonly #upToCas: number;
  readonly #end: () => void;
  #lastCas = 0;
  /** Keys whose items came, and are on disk now. */
  readonly moved: Set<string> = new Set();

  constructor(items: ReadonlyMap<string, Item>, upToCas: number, end: () => void) {
    this.#items = items.entries();
    this.#upToCas = upToCas;
    this.#end = end;
  }

  /** The next items, `limit` at most; none at the end. */
  next(limit: number): KeyedItem[] {
    const found: KeyedItem[] = [];
    while (found.length < limit) {
      const next = this.#items.next();
      if (next.done === true) break;
      const [key, item] = next.value;
      if (item.cas > this.#upToCas) break;
      this.#lastCas = item.cas;
      found.push({ key, item });
    }
    return found;
  }

  /** An item went to the disk, as it was. */
  left(key: string, cas: number): void {
    if (cas <= this.#lastCas) this.moved.add(key);
  }

  end(): void {
    this.#end();
  }
}

/** A value that keeps nothing alive but itself: a view would keep all that it is a view of. */
function withOwnMemory(value: Buffer): Buffer {
  // To copy a large one would hold everybody up, and mostly it is but for the end of its line what was received.
  if (value.length > STEP_BYTES && value.buffer.byteLength - value.length <= SPARE_BYTES) return value;
  const own = Buffer.allocUnsafeSlow(value.length);
  own.set(value);
  return own;
}

function sizeOf(key: string, item: Item): number {
  return ITEM_BYTES + key.length + item.length;
}

/** The order of LevelDB: a character of a latin1 string is a byte. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
