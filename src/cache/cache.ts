import type { Clock } from '../clock.ts';
import { BASE64_KEY, casOf, type Item, itemOf, type U64 } from '../item.ts';
import type { AccessTable } from '../ram/access-table.ts';
import type { Store } from '../store/store.ts';
import { ttlShift } from '../store/ttl-bucket.ts';
import { COPIED_VALUE_BYTES, STEP_BYTES } from '../store/tuning.ts';
import { addDelta } from './add-delta.ts';
import { Op } from './command.ts';
import { type Counters, newCounters } from './counters.ts';
import { AT_ONCE, expiryOf, isExpired, NEVER } from './exptime.ts';
import type { CacheObserver, StoreStatus, StoreWord } from './observer.ts';
import { PrefixStats } from './prefix-stats.ts';
import type { Residency } from './residency.ts';
import { decideStore, joinValues, type StoreOp, type StoreOutcome, storeWordOf } from './store-item.ts';

/** The key's state must be loaded first (Residency.load); nothing was done or counted. */
export const NEEDS_LOAD = 'needs_load';
export type NeedsLoad = typeof NEEDS_LOAD;

/** The value is longer than `Cache.fetchLimit`; nothing was done or counted. */
export const NEEDS_ROOM = 'needs_room';
export type NeedsRoom = typeof NEEDS_ROOM;

/** Bytes that memcached counts for an item besides key and value: header, key's NUL, CRLF and cas id. */
const ITEM_OVERHEAD = 48 + 1 + 2 + 8;
const FLAGS_OVERHEAD = 4;

const NOTHING = Buffer.alloc(0);

/** A key as it stands in some bytes: read at once, never kept. */
export interface KeyRange {
  buffer: Buffer;
  start: number;
  end: number;
}

/** The item that `fetch` found. `bytes` is borrowed: copy it out before the next call. */
export class Hit {
  bytes: Buffer = NOTHING;
  start = 0;
  length = 0;
  flags = 0;
  cas: U64 = 0;
  /** True when `bytes` never changes and may be kept. */
  owned = false;

  /** Hands over the value, as a view. The hit keeps nothing of it, so that it lives no longer than who takes it. */
  take(): Buffer {
    const value = this.bytes.subarray(this.start, this.start + this.length);
    this.bytes = NOTHING;
    return value;
  }
}

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
  /** True when its value is a view of the RAM tier. */
  readonly inRam: boolean;
  /** Unix seconds of the lookup. */
  readonly now: number;
}

/**
 * The commands of memcached on items that outlive the process. Each command is one synchronous step:
 * read what is resident, decide, stage. What it staged is visible to all at once and acknowledged
 * when it is committed; that wait is the caller's.
 */
export class Cache {
  readonly residency: Residency;
  readonly counters: Counters = newCounters();
  readonly access: AccessTable;
  readonly prefixes: PrefixStats;
  /** Told what commands do; undefined while nobody wants to know, which then costs a command one look. */
  observer: CacheObserver | undefined = undefined;
  /** Whether there is room for another item of so many bytes; undefined = always. Asked before each store. */
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
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #maxItemSize: number;
  readonly #showsCas: boolean;
  /** The number that the last incr or decr came to. */
  deltaResult: U64 = 0;
  /** The cas unique of the last item stored, as clients see it. */
  storedCas: U64 = 0;

  constructor(store: Store, residency: Residency, access: AccessTable, clock: Clock, maxItemSize: number, options: CacheOptions = {}) {
    this.#store = store;
    this.residency = residency;
    this.access = access;
    this.#clock = clock;
    this.#maxItemSize = maxItemSize;
    this.#showsCas = options.cas ?? true;
    this.prefixes = new PrefixStats(options.prefixDelimiter);
    this.prefixes.enabled = options.detail ?? false;
  }

  /** False while the store cannot take mutations: they must not be tried, or others would see what is then lost. */
  get isWritable(): boolean {
    return this.#store.failure === undefined;
  }

  /**
   * True when a value of so many bytes may not be stored under a key for want of room; all else works. `joins`: it is
   * to be joined to what is there.
   */
  isFullFor(key: KeyRange, bytes: number, joins: boolean): boolean | NeedsLoad {
    if (this.hasRoom !== undefined && !this.hasRoom(bytes)) return true;
    return this.hasQuota === undefined ? false : this.#isOverQuota(this.hasQuota, key, bytes, joins);
  }

  /** True when a looked up key may have a value of so many bytes. */
  hasQuotaFor({ text, old }: Found, length: number): boolean {
    if (this.hasQuota === undefined) return true;
    const growth = old === undefined ? text.length + length : length - old.length;
    return growth <= 0 || this.hasQuota(text, growth);
  }

  /** Unix seconds now. A flush_all whose time has come takes effect. */
  now(): number {
    const now = this.#clock.now();
    const { flushAt, cas } = this.#store.state;
    if (flushAt !== 0 && now >= flushAt) this.#store.changeState({ flushCas: cas, flushAt: 0 });
    return now;
  }

  /** True when a value of so many bytes cannot be stored under a key, by memcached's count of an item's size. */
  isTooLarge(keyLength: number, flags: number, length: number): boolean {
    return this.sizeOf(keyLength, flags, length) > this.#maxItemSize;
  }

  /** get and gets (`exptime` undefined), gat and gats. True on a hit, described in `hit`. */
  fetch(key: KeyRange, exptime: number | undefined, hit: Hit): boolean | NeedsLoad | NeedsRoom {
    const now = this.now();
    const { buffer, start, end } = key;
    const { residency, counters } = this;
    const hash = residency.hash(buffer, start, end);
    const ram = residency.ram;
    const slot = ram.find(hash, buffer, start, end);
    let text: string | undefined;
    let item: Item | undefined;
    if (slot >= 0) {
      ram.touched(slot);
      if (!ram.isAbsent(slot)) {
        if (exptime === undefined && this.#isAlive(ram.expiresAt(slot), ram.cas(slot), now)) {
          if (ram.length(slot) > this.fetchLimit) return NEEDS_ROOM;
          counters.cmd_get++;
          counters.get_hits++;
          this.access.note(hash, now);
          if (this.prefixes.isCounting) this.prefixes.countGet(buffer, start, end, true);
          hit.bytes = ram.valueBuffer(slot);
          hit.start = ram.valueStart(slot);
          hit.length = ram.length(slot);
          hit.flags = ram.flags(slot);
          hit.cas = this.#showsCas ? ram.cas(slot) : 0;
          hit.owned = false;
          if (this.observer !== undefined) this.observer.looked(buffer, start, end, 'found', hit.length);
          return true;
        }
        item = ram.item(slot);
      }
    } else {
      text = buffer.toString('latin1', start, end);
      let known = residency.besideRam(text, false);
      if (known === undefined) {
        residency.reads.lookups++;
        known = residency.readNow(text, true);
      }
      if (known === undefined) return NEEDS_LOAD;
      if (known !== null && this.#isAlive(known.expiresAt, known.cas, now)) {
        const whole = known.value === undefined ? residency.besideRam(text, true) : known;
        if (whole == null) return NEEDS_LOAD;
        item = whole;
      } else {
        item = known ?? undefined;
      }
    }
    if (item !== undefined && item.length > this.fetchLimit) return NEEDS_ROOM;
    const live = this.#countLookup(key, item, now);
    if (exptime === undefined) counters.cmd_get++;
    else counters.cmd_touch++;
    if (this.prefixes.isCounting) this.prefixes.countGet(buffer, start, end, live !== undefined);
    if (live === undefined) {
      if (exptime === undefined) counters.get_misses++;
      else counters.touch_misses++;
      return false;
    }
    this.access.note(hash, now);
    hit.bytes = live.value!;
    hit.start = 0;
    hit.length = live.length;
    hit.flags = live.flags;
    hit.cas = this.shownCas(live);
    hit.owned = slot < 0;
    if (exptime === undefined) {
      counters.get_hits++;
      return true;
    }
    counters.touch_hits++;
    // The touch may change the tier that a view of the value lies in.
    if (!hit.owned) {
      hit.bytes = Buffer.from(hit.bytes);
      hit.owned = true;
    }
    this.#restart({ hash, text: text ?? buffer.toString('latin1', start, end), old: live, live, inRam: slot >= 0, now }, key, live, exptime);
    return true;
  }

  /** set, add, replace, append, prepend, cas. A `value` of more than COPIED_VALUE_BYTES must not change until it is committed. */
  store(op: StoreOp, key: KeyRange, flags: number, exptime: number, casUnique: U64, value: Buffer): StoreOutcome | NeedsLoad {
    const joins = op === Op.append || op === Op.prepend;
    const found = this.lookUp(key, joins, !joins);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    this.counters.cmd_set++;
    if (this.prefixes.isCounting) this.prefixes.countSet(key.buffer, key.start, key.end);
    const { live, now } = found;
    let outcome = decideStore(op, live, casUnique, this.#showsCas);
    if (op === Op.cas) this.#countCas(outcome);
    let expiresAt: number | undefined;
    let size = value.length;
    if (outcome === 'stored' && joins && live !== undefined) {
      if (this.isTooLarge(key.end - key.start, live.flags, live.length + value.length)) outcome = 'not_stored';
      else {
        this.join(found, key, live, op, value, undefined);
        ({ expiresAt } = live);
        size = live.length + value.length;
      }
    } else if (outcome === 'stored') {
      this.put(found, key, this.newItem(now, flags, exptime, value));
    }
    if (this.observer !== undefined) this.tellStored(key, outcome, storeWordOf(op), expiresAt ?? expiryOf(exptime, now), now, size);
    return outcome;
  }

  /**
   * A value that is too large was offered: a set removes what was there, the others leave it (docs/protocol.md).
   * `word` is for the observer.
   */
  refuseTooLarge(removes: boolean, key: KeyRange, word: StoreWord = 'null'): 'too_large' | NeedsLoad {
    if (removes) {
      const found = this.lookUp(key, false, true);
      if (found === NEEDS_LOAD) return NEEDS_LOAD;
      this.drop(found, key);
    }
    this.counters.store_too_large++;
    this.observer?.stored(key.buffer, key.start, key.end, 'too_large', word, 0, 0);
    return 'too_large';
  }

  /** A value was offered while there is no room: as with one that is too large, a set removes what was there. */
  refuseFull(removes: boolean, key: KeyRange, word: StoreWord): 'no_memory' | NeedsLoad {
    if (removes) {
      const found = this.lookUp(key, false, true);
      if (found === NEEDS_LOAD) return NEEDS_LOAD;
      this.drop(found, key);
    }
    this.counters.cmd_set++;
    this.countRefused(key);
    this.observer?.stored(key.buffer, key.start, key.end, 'no_memory', word, 0, 0);
    return 'no_memory';
  }

  /** Counts what was not stored for want of room. */
  countRefused({ buffer, start, end }: KeyRange): void {
    this.counters.store_no_memory++;
    this.prefixes.quotas?.countRefused(buffer, start, end);
  }

  /**
   * incr and decr; the new number is in `deltaResult`. `compareCas` 0 = whatever its cas unique. With
   * `vivify` a missing number is made instead, and the delta not applied.
   */
  addDelta(
    key: KeyRange,
    delta: U64,
    increment: boolean,
    compareCas: U64 = 0,
    vivify?: { readonly initial: U64; readonly exptime: number },
  ): 'stored' | 'not_found' | 'exists' | 'non_numeric' | 'no_memory' | NeedsLoad {
    const found = this.lookUp(key, true);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    const { live, now } = found;
    if (live === undefined) {
      // As in memcached, a number that is made is neither a hit nor a miss.
      if (vivify === undefined) {
        if (increment) this.counters.incr_misses++;
        else this.counters.decr_misses++;
        return 'not_found';
      }
      const made = this.newItem(now, 0, vivify.exptime, Buffer.from(String(vivify.initial), 'latin1'));
      if (!this.hasQuotaFor(found, made.length)) {
        this.countRefused(key);
        return 'no_memory';
      }
      this.put(found, key, made);
      this.tellMade(key, made, now);
      this.deltaResult = vivify.initial;
      return 'stored';
    }
    // As in memcached, an empty value is found out before the cas unique is compared.
    if (live.length === 0) return 'non_numeric';
    if (compareCas !== 0 && !this.hasCas(live, compareCas)) return 'exists';
    const result = addDelta(live.value!, delta, increment);
    if (result === undefined) return 'non_numeric';
    if (!this.hasQuotaFor(found, result.value.length)) {
      this.countRefused(key);
      return 'no_memory';
    }
    if (increment) this.counters.incr_hits++;
    else this.counters.decr_hits++;
    this.put(found, key, { ...live, storedAt: now, chosenCas: undefined, value: result.value }, result.value.length === live.length);
    this.deltaResult = result.number;
    return 'stored';
  }

  /** delete; `compareCas` 0 = whatever its cas unique. */
  delete(key: KeyRange, compareCas: U64 = 0): 'deleted' | 'not_found' | 'exists' | NeedsLoad {
    const found = this.lookUp(key, false, true);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    if (this.prefixes.isCounting) this.prefixes.countDelete(key.buffer, key.start, key.end);
    if (found.live === undefined) {
      this.counters.delete_misses++;
      // What is dead but still takes space goes: Tugela's expiry program worked by deletes.
      this.drop(found, key);
      return 'not_found';
    }
    if (compareCas !== 0 && !this.hasCas(found.live, compareCas)) return 'exists';
    this.counters.delete_hits++;
    this.observer?.deleted(key.buffer, key.start, key.end, 'delete', found.live.length);
    this.drop(found, key);
    return 'deleted';
  }

  /** touch. With `hit`, that gets the item's flags and cas unique, and not its value, which is not needed. */
  touch(key: KeyRange, exptime: number, hit?: Hit): 'touched' | 'not_found' | NeedsLoad {
    const found = this.lookUp(key, false);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    this.counters.cmd_touch++;
    if (found.live === undefined) {
      this.counters.touch_misses++;
      return 'not_found';
    }
    this.counters.touch_hits++;
    this.access.note(found.hash, found.now);
    if (hit !== undefined) {
      hit.flags = found.live.flags;
      hit.cas = this.shownCas(found.live);
    }
    this.#restart(found, key, found.live, exptime);
    return 'touched';
  }

  /**
   * flush_all: now, or at a time to come. One watermark, whatever the store's size: items with a cas
   * unique up to it are dead. There is one flush time: a later call replaces a pending one.
   */
  flushAll(exptime: number): void {
    const now = this.now();
    this.counters.cmd_flush++;
    const at = exptime > 0 ? expiryOf(exptime, now) : AT_ONCE;
    if (exptime > 0 && at === AT_ONCE) return;
    if (at === AT_ONCE) this.#store.changeState({ flushCas: this.#store.state.cas, flushAt: 0 });
    else this.#store.changeState({ flushAt: at });
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
    return { hash, text, old, inRam: slot >= 0, live: this.#countLookup(key, old, now), now };
  }

  /** An item to be put: `expiresAt` may be AT_ONCE. */
  newItem(now: number, flags: number, exptime: number, value: Buffer): Item {
    const expiresAt = expiryOf(exptime, now);
    return itemOf(flags, expiresAt, now, 0, expiresAt > 0 ? ttlShift(expiresAt - now) : 0, 0, undefined, value.length, value, undefined);
  }

  /** The cas unique of an item as clients see it. */
  shownCas(item: Item): U64 {
    return this.#showsCas ? casOf(item) : 0;
  }

  /** True when an item has a cas unique. */
  hasCas(item: Item, unique: U64): boolean {
    return this.#showsCas && casOf(item) === unique;
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

  /** A cas unique higher than any before. */
  nextCas(): number {
    return this.#store.nextCas();
  }

  /** Bytes that memcached would count for an item. */
  sizeOf(keyLength: number, flags: number, length: number): number {
    return ITEM_OVERHEAD + keyLength + (flags !== 0 ? FLAGS_OVERHEAD : 0) + length;
  }

  /**
   * Stores an item under a key that was looked up, with a new cas unique. One that is gone at once is stored as
   * expired, as in memcached: the next lookup counts it. `isRecount`: only its number changed, within its length, so it
   * stays as fetched as it was.
   */
  put(found: Found, key: KeyRange, item: Item, isRecount = false): void {
    const offered = this.#renewed(found, item, item.value!.length, isRecount);
    const stored = this.#store.put(found.text, found.old, offered);
    this.residency.remember(found.hash, key.buffer, key.start, key.end, found.text, stored);
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
    const present = found.inRam ? Buffer.from(live.value!) : live.value!;
    const offered = value.length <= COPIED_VALUE_BYTES ? Buffer.from(value) : value;
    const renewed = this.#renewed(found, { ...item, value: undefined }, length, false);
    const stored = this.#store.putJoined(found.text, found.old, renewed, op === Op.append ? [present, offered] : [offered, present]);
    this.residency.remember(found.hash, key.buffer, key.start, key.end, found.text, stored);
  }

  /** An item as it is to be stored, with a new cas unique. */
  #renewed(found: Found, item: Item, length: number, isRecount: boolean): Item {
    const cas = this.#store.nextCas();
    this.storedCas = this.#showsCas ? (item.chosenCas ?? cas) : 0;
    if (!isRecount) this.access.forget(found.hash);
    const { flags, storedAt, ttlShift, bits, chosenCas, value } = item;
    const expiresAt = item.expiresAt === AT_ONCE ? found.now : item.expiresAt;
    return itemOf(flags, expiresAt, storedAt, cas, ttlShift, bits, chosenCas, length, value, undefined);
  }

  /** Deletes what is stored under a key that was looked up. */
  drop(found: Found, key: KeyRange): void {
    if (found.old !== undefined) this.#store.remove(found.text, found.old);
    this.residency.remember(found.hash, key.buffer, key.start, key.end, found.text, undefined);
  }

  /** Changes what is known of a live item; its value stays. */
  restate(found: Found, key: KeyRange, live: Item, changed: Item): void {
    const { ram } = this.residency;
    const slot = ram.find(found.hash, key.buffer, key.start, key.end);
    // A value that is a view of the RAM tier must be copied: it waits for its commit outside.
    const present = live.place === undefined ? live.value : undefined;
    const value = present !== undefined && found.inRam ? Buffer.from(present) : present;
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

  #isOverQuota(hasQuota: (key: string, growth: number) => boolean, key: KeyRange, bytes: number, joins: boolean): boolean | NeedsLoad {
    const { buffer, start, end } = key;
    const text = buffer.toString('latin1', start, end);
    // Mostly there is room whatever it replaces.
    if (hasQuota(text, text.length + bytes)) return false;
    const { residency } = this;
    const slot = residency.ram.find(residency.hash(buffer, start, end), buffer, start, end);
    let old = slot >= 0 ? residency.inRam(slot) : residency.besideRam(text, false);
    if (old === undefined) old = residency.readNow(text, false);
    if (old === undefined) return NEEDS_LOAD;
    if (old === null) return true;
    const growth = joins ? bytes : bytes - old.length;
    return growth > 0 && !hasQuota(text, growth);
  }

  #isAlive(expiresAt: number, cas: number, now: number): boolean {
    return (expiresAt === 0 || expiresAt > now) && cas > this.#store.state.flushCas;
  }

  /** The item if it is alive; counts those that are not, as every lookup does, and tells the observer. */
  #countLookup({ buffer, start, end }: KeyRange, item: Item | undefined, now: number): Item | undefined {
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

  #countCas(outcome: StoreOutcome): void {
    if (outcome === 'stored') this.counters.cas_hits++;
    else if (outcome === 'exists') this.counters.cas_badval++;
    else this.counters.cas_misses++;
  }

  /** Gives an item a new expiry time; value and cas unique stay. */
  #restart(found: Found, key: KeyRange, live: Item, exptime: number): void {
    const expiresAt = expiryOf(exptime, found.now);
    if (expiresAt === live.expiresAt) return;
    if (expiresAt === AT_ONCE) this.drop(found, key);
    else this.restate(found, key, live, withExpiry(live, expiresAt, found.now));
  }
}

/** The item with another expiry time, NEVER or Unix seconds. */
export function withExpiry(item: Item, expiresAt: number, now: number): Item {
  return { ...item, expiresAt, ttlShift: expiresAt === NEVER ? 0 : ttlShift(expiresAt - now) };
}
