import type { Clock } from '../clock.ts';
import { BASE64_KEY, BuiltItem, casOf, type Item, type U64 } from '../item.ts';
import type { ReadSketch } from '../ram/read-sketch.ts';
import { STEP_BYTES } from '../steps.ts';
import type { Store } from '../store/store.ts';
import { ttlShift } from '../store/ttl-bucket.ts';
import { COPIED_VALUE_BYTES } from '../store/tuning.ts';
import { Op } from './command.ts';
import { type Counters, newCounters } from './counters.ts';
import { AT_ONCE, expiryOf, isExpired, NEVER } from './exptime.ts';
import { type KeyRange, NEEDS_LOAD, type NeedsLoad } from './hit.ts';
import type { CacheObserver, StoreStatus, StoreWord } from './observer.ts';
import { Prefetch } from './prefetch.ts';
import { PrefixStats } from './prefix-stats.ts';
import type { Residency } from './residency.ts';
import { joinValues } from './store-item.ts';

/** Bytes that memcached counts for an item besides key and value: header, key's NUL, CRLF and cas id. */
const ITEM_OVERHEAD = 48 + 1 + 2 + 8;
const FLAGS_OVERHEAD = 4;

/** What of a cache may be chosen. */
export interface CacheOptions {
  /** False: cas uniques are not shown, and who compares with one never finds it equal. */
  readonly cas?: boolean;
  /** The character that ends a key's prefix in `stats detail`. */
  readonly prefixDelimiter?: string;
  /** True: `stats detail` counts from the start. */
  readonly detail?: boolean;
}

/** What a lookup found. Good until anything else changes. */
export interface Found {
  readonly hash: number;
  /** The key, a character per byte. */
  readonly text: string;
  /** What is stored, dead or alive. */
  readonly old: Item | undefined;
  /** What is stored if it is alive. */
  readonly live: Item | undefined;
  /** Where the RAM tier has it; -1 = it did not. In its place a value is a view of the RAM tier. */
  readonly slot: number;
  /** Unix seconds of the lookup. */
  readonly now: number;
}

/**
 * The items under their keys, for whatever commands there are: looked up, put, changed and dropped, with all that has to
 * follow in the RAM tier, the counters, the quotas, and for the observer. Nothing here waits.
 */
export class KeyedItems {
  readonly residency: Residency;
  readonly counters: Counters = newCounters();
  readonly prefetch: Prefetch;
  readonly prefixes: PrefixStats;
  /** Told of each access, where somebody decides by it what to evict. */
  sketch: ReadSketch | undefined = undefined;
  /** Told what commands do; undefined while nobody wants to know, which then costs a command one look. */
  observer: CacheObserver | undefined = undefined;
  /** Whether there is room for another item of so many bytes; undefined = always. Asked before each store, and before an item is made. */
  hasRoom: ((bytes: number) => boolean) | undefined = undefined;
  /**
   * Asked before a store is executed: true = there is no room for so many bytes just now, and `done` is called, within a bounded
   * time, when the store is to be tried. Undefined = stores never wait for room.
   */
  holdForRoom: ((bytes: number, done: () => void) => boolean) | undefined = undefined;
  /** The same below the quotas of prefixes: whether a key (latin1) may take so many bytes more. Asked when an item grows. */
  hasQuota: ((key: string, growth: number) => boolean) | undefined = undefined;
  /** Longest value that may be fetched just now. */
  fetchLimit: number = Number.POSITIVE_INFINITY;
  protected readonly showsCas: boolean;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #maxItemSize: number;
  /** The number that the last incr or decr came to. */
  deltaResult: U64 = 0;
  /** The cas unique of the last item stored, as clients see it. */
  storedCas: U64 = 0;

  constructor(store: Store, residency: Residency, clock: Clock, maxItemSize: number, options: CacheOptions = {}) {
    this.#store = store;
    this.residency = residency;
    this.prefetch = new Prefetch(residency);
    this.#clock = clock;
    this.#maxItemSize = maxItemSize;
    this.showsCas = options.cas ?? true;
    this.prefixes = new PrefixStats(options.prefixDelimiter);
    this.prefixes.enabled = options.detail ?? false;
  }

  /** False while the store cannot take mutations: they must not be tried, or others would see what is then lost. */
  get isWritable(): boolean {
    return this.#store.failure === undefined;
  }

  /** Unix seconds now. A flush_all whose time has come takes effect. */
  now(): number {
    const now = this.#clock.now();
    const { flushAt, cas } = this.#store.state;
    if (flushAt !== 0 && now >= flushAt) this.#store.changeState({ flushCas: cas, flushAt: 0 });
    return now;
  }

  /**
   * Finds what is stored under a key; with `value`, an item comes with its value. Counts what is dead, tells the observer.
   * `replaces`: the item will be stored anew or go, so its value is of no use even where it is at hand.
   */
  lookUp(key: KeyRange, value: boolean, replaces = false): Found | NeedsLoad {
    const now = this.now();
    const { buffer, start, end } = key;
    const hash = this.residency.hash(buffer, start, end);
    const text = buffer.toString('latin1', start, end);
    const slot = this.residency.ram.find(hash, buffer, start, end);
    let item = slot >= 0 ? this.residency.inRam(slot, !replaces) : this.residency.besideRam(text, value);
    if (item === undefined) item = this.residency.readNow(text, value);
    if (item === undefined) return NEEDS_LOAD;
    const old = item ?? undefined;
    return { hash, text, old, slot, live: this.countLookup(key, old, now), now };
  }

  /** An item to be put: `expiresAt` may be AT_ONCE. */
  newItem(now: number, flags: number, exptime: number, value: Buffer): Item {
    const expiresAt = expiryOf(exptime, now);
    return new BuiltItem(flags, expiresAt, now, 0, expiresAt > 0 ? ttlShift(expiresAt - now) : 0, 0, undefined, value.length, value, undefined);
  }

  /**
   * Stores an item under a key that was looked up, with a new cas unique. One that is gone at once is stored as
   * expired, as in memcached: the next lookup counts it. `isRecount`: only its number changed, within its length, so it
   * stays as fetched as it was.
   */
  put(found: Found, key: KeyRange, item: Item, isRecount = false): void {
    const accessedAt = isRecount ? this.lastAccess(found.hash, key) : 0;
    this.#putRenewed(found, key, this.#renewed(item, item.value!.length, found.now), accessedAt);
  }

  /** The same with an item that is made for it. */
  putNew(found: Found, key: KeyRange, flags: number, exptime: number, value: Buffer): void {
    const { now } = found;
    const cas = this.#store.nextCas();
    this.storedCas = this.showsCas ? cas : 0;
    const expiresAt = expiryOf(exptime, now);
    const shift = expiresAt > 0 ? ttlShift(expiresAt - now) : 0;
    this.#putRenewed(found, key, new BuiltItem(flags, expiresAt === AT_ONCE ? now : expiresAt, now, cas, shift, 0, undefined, value.length, value, undefined), 0);
  }

  /** Stores a value joined to that of the live item that was looked up, with a new cas unique and, perhaps, one that the client chose. */
  join(found: Found, key: KeyRange, live: Item, op: typeof Op.append | typeof Op.prepend, value: Buffer, chosenCas: U64 | undefined): void {
    const item: Item = { ...live, storedAt: found.now, bits: live.bits & BASE64_KEY, chosenCas };
    const length = live.length + value.length;
    if (length <= STEP_BYTES) {
      this.put(found, key, { ...item, value: joinValues(op, live, value) });
      return;
    }
    // To put a large value together would take long: it goes to the disk in its two pieces.
    const present = found.slot >= 0 ? Buffer.from(live.value!) : live.value!;
    const offered = value.length <= COPIED_VALUE_BYTES ? Buffer.from(value) : value;
    const renewed = this.#renewed({ ...item, value: undefined }, length, found.now);
    const stored = this.#store.putJoined(found.text, found.old, renewed, op === Op.append ? [present, offered] : [offered, present]);
    this.residency.remember(found.hash, key.buffer, key.start, key.end, found.text, stored, 0);
  }

  /** Deletes what is stored under a key that was looked up. */
  drop(found: Found, key: KeyRange): void {
    if (found.old !== undefined) this.#store.remove(found.text, found.old);
    this.residency.remember(found.hash, key.buffer, key.start, key.end, found.text, undefined, 0);
  }

  /** Changes what is known of a live item; its value stays. */
  restate(found: Found, key: KeyRange, live: Item, changed: Item): void {
    const { ram } = this.residency;
    const slot = ram.find(found.hash, key.buffer, key.start, key.end);
    // A value that is a view of the RAM tier must be copied: it waits for its commit outside.
    const present = live.place === undefined ? live.value : undefined;
    const value = present !== undefined && found.slot >= 0 ? Buffer.from(present) : present;
    const item = this.#store.restate(found.text, live, { ...changed, value });
    const staysInRam = slot >= 0 && item.chosenCas === undefined && item.cas === live.cas;
    if (staysInRam) {
      ram.setExpiry(slot, item.expiresAt, item.ttlShift);
      ram.setBits(slot, item.bits);
      // What was in memory alone may have a place now.
      if (live.place === undefined && item.place !== undefined) ram.setPlace(slot, item.place.segment, item.place.offset, item.place.size);
    } else if (slot >= 0) {
      ram.forget(found.hash, key.buffer, key.start, key.end);
    }
    this.residency.changed(found.text, item, staysInRam);
  }

  /** All items there are at a time are dead from then on: AT_ONCE, or Unix seconds to come. There is one such time: the last said. */
  flush(at: number): void {
    if (at === AT_ONCE) this.#store.changeState({ flushCas: this.#store.state.cas, flushAt: 0 });
    else this.#store.changeState({ flushAt: at });
  }

  /**
   * True when a value of so many bytes may not be stored under a key for want of room; all else works. `joins`: it is
   * to be joined to what is there.
   */
  isFullFor(key: KeyRange, bytes: number, joins: boolean): boolean | NeedsLoad {
    if (this.hasRoom !== undefined) {
      // What a value is joined to is written anew with it.
      const present = joins ? this.#presentOf(key) : null;
      if (present === NEEDS_LOAD) return NEEDS_LOAD;
      if (!this.hasRoom(bytes + (present?.length ?? 0))) return true;
    }
    return this.hasQuota === undefined ? false : this.#isOverQuota(this.hasQuota, key, bytes, joins);
  }

  /**
   * True when a looked up key may have a value of so many bytes, for commands that bring none: they make an item, or change
   * a number. The disk is asked where one is made only: a number that changes takes no more of it than a touch.
   */
  hasRoomFor({ text, old, live }: Found, length: number): boolean {
    if (live === undefined && this.hasRoom !== undefined && !this.hasRoom(length)) return false;
    if (this.hasQuota === undefined) return true;
    const growth = old === undefined ? text.length + length : length - old.length;
    return growth <= 0 || this.hasQuota(text, growth);
  }

  /** Counts what was not stored for want of room. */
  countRefused({ buffer, start, end }: KeyRange): void {
    this.counters.store_no_memory++;
    this.prefixes.quotas?.countRefused(buffer, start, end);
  }

  /** True when a value of so many bytes cannot be stored under a key, by memcached's count of an item's size. */
  isTooLarge(keyLength: number, flags: number, length: number): boolean {
    return this.sizeOf(keyLength, flags, length) > this.#maxItemSize;
  }

  /** Bytes that memcached would count for an item. */
  sizeOf(keyLength: number, flags: number, length: number): number {
    return ITEM_OVERHEAD + keyLength + (flags !== 0 ? FLAGS_OVERHEAD : 0) + length;
  }

  /** The cas unique of an item as clients see it. */
  shownCas(item: Item): U64 {
    return this.showsCas ? casOf(item) : 0;
  }

  /** True when an item has a cas unique. */
  hasCas(item: Item, unique: U64): boolean {
    return this.showsCas && casOf(item) === unique;
  }

  /** Notes that the item under a key was asked for. */
  noteAccess(hash: number, { buffer, start, end }: KeyRange, now: number): void {
    this.noteAccessIn(this.residency.ram.find(hash, buffer, start, end), hash, now);
  }

  /** Unix seconds when the item under a key was last asked for; 0 when it never was, or that is forgotten. */
  lastAccess(hash: number, { buffer, start, end }: KeyRange): number {
    const { ram } = this.residency;
    const slot = ram.find(hash, buffer, start, end);
    return slot >= 0 ? ram.accessedAt(slot) : ram.access.last(hash);
  }

  /** A cas unique higher than any before. */
  nextCas(): number {
    return this.#store.nextCas();
  }

  /** Tells the observer of an offered value. `expiresAt` is Unix seconds, NEVER or AT_ONCE. */
  tellStored(key: KeyRange, status: StoreStatus, word: StoreWord, expiresAt: number, now: number, size: number): void {
    const ttl = expiresAt === NEVER ? 0 : expiresAt === AT_ONCE ? -1 : expiresAt - now;
    this.observer?.stored(key.buffer, key.start, key.end, status, word, ttl, size);
  }

  /** Tells the observer of a number that arithmetic made: memcached adds it, after a lookup of its own. */
  tellMade(key: KeyRange, { expiresAt, length }: Item, now: number): void {
    if (this.observer === undefined) return;
    this.observer.looked(key.buffer, key.start, key.end, 'not_found', 0);
    this.tellStored(key, 'stored', 'add', expiresAt, now, length);
  }

  /** True when an item with these is neither expired nor flushed. */
  protected isAlive(expiresAt: number, cas: number, now: number): boolean {
    return (expiresAt === 0 || expiresAt > now) && cas > this.#store.state.flushCas;
  }

  /** Notes that an item was asked for which is in a slot of the RAM tier, or in none: -1. */
  protected noteAccessIn(slot: number, hash: number, now: number): void {
    const { ram } = this.residency;
    if (slot >= 0) ram.noteAccess(slot, now);
    else ram.access.note(hash, now);
    this.sketch?.add(hash);
  }

  /** The item if it is alive; counts those that are not, as every lookup does, and tells the observer. */
  protected countLookup({ buffer, start, end }: KeyRange, item: Item | undefined, now: number): Item | undefined {
    if (item === undefined) {
      this.observer?.looked(buffer, start, end, 'not_found', 0);
      return undefined;
    }
    if (item.cas <= this.#store.state.flushCas) {
      this.counters.get_flushed++;
      this.observer?.looked(buffer, start, end, 'flushed', 0);
      return undefined;
    }
    if (isExpired(item, now)) {
      this.counters.get_expired++;
      this.observer?.looked(buffer, start, end, 'expired', 0);
      return undefined;
    }
    this.observer?.looked(buffer, start, end, 'found', item.length);
    return item;
  }

  #putRenewed({ hash, text, old, slot }: Found, key: KeyRange, item: Item, accessedAt: number): void {
    const stored = this.#store.put(text, old, item);
    this.residency.remember(hash, key.buffer, key.start, key.end, text, stored, accessedAt, slot);
  }

  /** An item as it is to be stored, with a new cas unique. */
  #renewed(item: Item, length: number, now: number): Item {
    const cas = this.#store.nextCas();
    this.storedCas = this.showsCas ? (item.chosenCas ?? cas) : 0;
    const { flags, storedAt, ttlShift, bits, chosenCas, value } = item;
    const expiresAt = item.expiresAt === AT_ONCE ? now : item.expiresAt;
    return new BuiltItem(flags, expiresAt, storedAt, cas, ttlShift, bits, chosenCas, length, value, undefined);
  }

  /** What is stored under a key, dead or alive, its value not needed; null = nothing. */
  #presentOf({ buffer, start, end }: KeyRange): Item | null | NeedsLoad {
    const { residency } = this;
    const slot = residency.ram.find(residency.hash(buffer, start, end), buffer, start, end);
    if (slot >= 0) return residency.inRam(slot, false);
    const text = buffer.toString('latin1', start, end);
    let present = residency.besideRam(text, false);
    if (present === undefined) present = residency.readNow(text, false);
    return present === undefined ? NEEDS_LOAD : present;
  }

  #isOverQuota(hasQuota: (key: string, growth: number) => boolean, key: KeyRange, bytes: number, joins: boolean): boolean | NeedsLoad {
    const { buffer, start, end } = key;
    const text = buffer.toString('latin1', start, end);
    // Mostly there is room whatever it replaces.
    if (hasQuota(text, text.length + bytes)) return false;
    const old = this.#presentOf(key);
    if (old === NEEDS_LOAD) return NEEDS_LOAD;
    if (old === null) return true;
    const growth = joins ? bytes : bytes - old.length;
    return growth > 0 && !hasQuota(text, growth);
  }
}

/** The item with another expiry time, NEVER or Unix seconds. */
export function withExpiry(item: Item, expiresAt: number, now: number): Item {
  return { ...item, expiresAt, ttlShift: expiresAt === NEVER ? 0 : ttlShift(expiresAt - now) };
}
