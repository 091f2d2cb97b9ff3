import type { Clock } from '../clock.ts';
import type { Item, U64 } from '../item.ts';
import type { Store } from '../store/store.ts';
import { ttlShift } from '../store/ttl-bucket.ts';
import { addDelta } from './add-delta.ts';
import { Op } from './command.ts';
import { type Counters, newCounters } from './counters.ts';
import { AT_ONCE, expiryOf, isExpired } from './exptime.ts';
import type { Residency } from './residency.ts';
import { decideStore, joinValues, type StoreOp, type StoreOutcome } from './store-item.ts';

/** The key's state must be loaded first (Residency.load); nothing was done or counted. */
export const NEEDS_LOAD = 'needs_load';
export type NeedsLoad = typeof NEEDS_LOAD;

/** Bytes that memcached counts for an item besides key and value: header, key's NUL, CRLF and cas id. */
const ITEM_OVERHEAD = 48 + 1 + 2 + 8;
const FLAGS_OVERHEAD = 4;

/** A key as it stands in some bytes: read at once, never kept. */
export interface KeyRange {
  buffer: Buffer;
  start: number;
  end: number;
}

/** The item that `fetch` found. `bytes` is borrowed: copy it out before the next call. */
export class Hit {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  length = 0;
  flags = 0;
  cas = 0;
  /** True when `bytes` belongs to this hit alone and may be kept. */
  owned = false;
}

/**
 * The commands of memcached on items that outlive the process. Each command is one synchronous step:
 * read what is resident, decide, stage. What it staged is visible to all at once and acknowledged
 * when it is committed; that wait is the caller's.
 */
export class Cache {
  readonly residency: Residency;
  readonly counters: Counters = newCounters();
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #maxItemSize: number;
  /** The number that the last incr or decr came to. */
  deltaResult: U64 = 0;

  constructor(store: Store, residency: Residency, clock: Clock, maxItemSize: number) {
    this.#store = store;
    this.residency = residency;
    this.#clock = clock;
    this.#maxItemSize = maxItemSize;
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

  /** True when a value of so many bytes cannot be stored under a key, by memcached's count of an item's size. */
  isTooLarge(keyLength: number, flags: number, length: number): boolean {
    return ITEM_OVERHEAD + keyLength + (flags !== 0 ? FLAGS_OVERHEAD : 0) + length > this.#maxItemSize;
  }

  /** get and gets (`exptime` undefined), gat and gats. True on a hit, described in `hit`. */
  fetch(key: KeyRange, exptime: number | undefined, hit: Hit): boolean | NeedsLoad {
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
          counters.cmd_get++;
          counters.get_hits++;
          hit.bytes = ram.valueBuffer(slot);
          hit.start = ram.valueStart(slot);
          hit.length = ram.length(slot);
          hit.flags = ram.flags(slot);
          hit.cas = ram.cas(slot);
          hit.owned = false;
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
    const live = this.#countLookup(item, now);
    if (exptime === undefined) counters.cmd_get++;
    else counters.cmd_touch++;
    if (live === undefined) {
      if (exptime === undefined) counters.get_misses++;
      else counters.touch_misses++;
      return false;
    }
    hit.bytes = live.value!;
    hit.start = 0;
    hit.length = live.length;
    hit.flags = live.flags;
    hit.cas = live.cas;
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
    this.#restart(hash, key, text ?? buffer.toString('latin1', start, end), live, exptime, now);
    return true;
  }

  /** set, add, replace, append, prepend, cas. `value` is kept until it is committed and must not change. */
  store(op: StoreOp, key: KeyRange, flags: number, exptime: number, casUnique: U64, value: Buffer): StoreOutcome | NeedsLoad {
    const now = this.now();
    const { buffer, start, end } = key;
    const hash = this.residency.hash(buffer, start, end);
    const text = buffer.toString('latin1', start, end);
    const joins = op === Op.append || op === Op.prepend;
    const found = this.#current(hash, key, text, joins);
    if (found === undefined) return NEEDS_LOAD;
    const old = found ?? undefined;
    this.counters.cmd_set++;
    const live = this.#countLookup(old, now);
    const outcome = decideStore(op, live, casUnique);
    if (op === Op.cas) this.#countCas(outcome);
    if (outcome !== 'stored') return outcome;
    const joined = joinValues(op, live, value);
    const kept = joins && live !== undefined ? live : undefined;
    if (kept !== undefined && this.isTooLarge(end - start, kept.flags, joined.length)) return 'not_stored';
    const expiresAt = kept?.expiresAt ?? expiryOf(exptime, now);
    const cas = this.#store.nextCas();
    if (expiresAt === AT_ONCE) {
      this.#forget(hash, key, text, old);
      return outcome;
    }
    const item = this.#store.put(text, old, {
      flags: kept?.flags ?? flags,
      expiresAt,
      storedAt: now,
      cas,
      ttlShift: kept?.ttlShift ?? (expiresAt === 0 ? 0 : ttlShift(expiresAt - now)),
      length: joined.length,
      value: joined,
      place: undefined,
    });
    this.residency.remember(hash, buffer, start, end, text, item);
    return outcome;
  }

  /** A value that is too large was offered: a set removes what was there, the others leave it (docs/protocol.md). */
  refuseTooLarge(op: StoreOp, key: KeyRange): 'too_large' | NeedsLoad {
    if (op === Op.set) {
      const hash = this.residency.hash(key.buffer, key.start, key.end);
      const text = key.buffer.toString('latin1', key.start, key.end);
      const found = this.#current(hash, key, text, false);
      if (found === undefined) return NEEDS_LOAD;
      if (found !== null) this.#forget(hash, key, text, found);
    }
    this.counters.store_too_large++;
    return 'too_large';
  }

  /** incr and decr; the new number is in `deltaResult`. */
  addDelta(key: KeyRange, delta: U64, increment: boolean): 'stored' | 'not_found' | 'non_numeric' | NeedsLoad {
    const now = this.now();
    const { buffer, start, end } = key;
    const hash = this.residency.hash(buffer, start, end);
    const text = buffer.toString('latin1', start, end);
    const found = this.#current(hash, key, text, true);
    if (found === undefined) return NEEDS_LOAD;
    const live = this.#countLookup(found ?? undefined, now);
    if (live === undefined) {
      if (increment) this.counters.incr_misses++;
      else this.counters.decr_misses++;
      return 'not_found';
    }
    const result = addDelta(live.value!, delta, increment);
    if (result === undefined) return 'non_numeric';
    if (increment) this.counters.incr_hits++;
    else this.counters.decr_hits++;
    const { value } = result;
    const changed = { ...live, storedAt: now, cas: this.#store.nextCas(), length: value.length, value, place: undefined };
    this.residency.remember(hash, buffer, start, end, text, this.#store.put(text, live, changed));
    this.deltaResult = result.number;
    return 'stored';
  }

  delete(key: KeyRange): 'deleted' | 'not_found' | NeedsLoad {
    const now = this.now();
    const hash = this.residency.hash(key.buffer, key.start, key.end);
    const text = key.buffer.toString('latin1', key.start, key.end);
    const found = this.#current(hash, key, text, false);
    if (found === undefined) return NEEDS_LOAD;
    const live = this.#countLookup(found ?? undefined, now);
    if (live === undefined) {
      this.counters.delete_misses++;
      // What is dead but still takes space goes: Tugela's expiry program worked by deletes.
      if (found !== null) this.#forget(hash, key, text, found);
      return 'not_found';
    }
    this.counters.delete_hits++;
    this.#forget(hash, key, text, live);
    return 'deleted';
  }

  touch(key: KeyRange, exptime: number): 'touched' | 'not_found' | NeedsLoad {
    const now = this.now();
    const hash = this.residency.hash(key.buffer, key.start, key.end);
    const text = key.buffer.toString('latin1', key.start, key.end);
    const found = this.#current(hash, key, text, false);
    if (found === undefined) return NEEDS_LOAD;
    const live = this.#countLookup(found ?? undefined, now);
    this.counters.cmd_touch++;
    if (live === undefined) {
      this.counters.touch_misses++;
      return 'not_found';
    }
    this.counters.touch_hits++;
    this.#restart(hash, key, text, live, exptime, now);
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

  /** True when an item is there for clients: neither expired nor flushed. */
  isAlive(item: Item, now: number): boolean {
    return this.#isAlive(item.expiresAt, item.cas, now);
  }

  /** The key's newest state, read from disk when that is quick; undefined when it must be loaded. */
  #current(hash: number, key: KeyRange, text: string, value: boolean): Item | null | undefined {
    const known = this.residency.current(hash, key.buffer, key.start, key.end, text, value);
    return known === undefined ? this.residency.readNow(text, value) : known;
  }

  #isAlive(expiresAt: number, cas: number, now: number): boolean {
    return (expiresAt === 0 || expiresAt > now) && cas > this.#store.state.flushCas;
  }

  /** The item if it is alive; counts those that are not, as every lookup does. */
  #countLookup(item: Item | undefined, now: number): Item | undefined {
    if (item === undefined) return undefined;
    if (item.cas <= this.#store.state.flushCas) {
      this.counters.get_flushed++;
      return undefined;
    }
    if (isExpired(item, now)) {
      this.counters.get_expired++;
      return undefined;
    }
    return item;
  }

  #countCas(outcome: StoreOutcome): void {
    if (outcome === 'stored') this.counters.cas_hits++;
    else if (outcome === 'exists') this.counters.cas_badval++;
    else this.counters.cas_misses++;
  }

  /** Gives an item a new expiry time; value and cas unique stay. */
  #restart(hash: number, key: KeyRange, text: string, live: Item, exptime: number, now: number): void {
    const expiresAt = expiryOf(exptime, now);
    if (expiresAt === live.expiresAt) return;
    if (expiresAt === AT_ONCE) {
      this.#forget(hash, key, text, live);
      return;
    }
    const slot = this.residency.ram.find(hash, key.buffer, key.start, key.end);
    // A value that is a view of the RAM tier must be copied: it waits for its commit outside.
    const value = live.place === undefined && live.value !== undefined ? Buffer.from(live.value) : undefined;
    const item = { ...live, value, expiresAt, ttlShift: expiresAt === 0 ? 0 : ttlShift(expiresAt - now) };
    this.#store.restate(text, live, item);
    if (slot >= 0) this.residency.ram.setExpiry(slot, item.expiresAt, item.ttlShift);
    this.residency.changed(text, item, slot >= 0);
  }

  #forget(hash: number, key: KeyRange, text: string, old: Item | undefined): void {
    if (old !== undefined) this.#store.remove(text, old);
    this.residency.remember(hash, key.buffer, key.start, key.end, text, undefined);
  }
}
