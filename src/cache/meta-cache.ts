import { BASE64_KEY, casOf, type Item, STALE, type U64, WIN_SENT } from '../item.ts';
import { addDelta } from './add-delta.ts';
import { type Hit, type KeyRange, NEEDS_LOAD, NEEDS_ROOM, type NeedsLoad, type NeedsRoom } from './hit.ts';
import { type Found, type KeyedItems, withExpiry } from './keyed-items.ts';
import type { Command, MetaFields, MetaFlags } from './command.ts';
import { Op } from './command.ts';
import { AT_ONCE, expiryOf, NEVER } from './exptime.ts';
import { ttlShift } from '../store/ttl-bucket.ts';
import type { StoreWord } from './observer.ts';
import { type StoreOutcome, storeWord } from './store-item.ts';

/** What the steps N R T t of a command made of a time to live. */
interface Walk {
  /** Unix seconds, NEVER or AT_ONCE. */
  readonly expiresAt: number;
  readonly won: boolean;
}

/**
 * The meta commands (protocol.txt, "Meta Commands") on the same items as the classic ones. Each fills
 * the fields that its reply may tell.
 *
 * Reads stay reads: when a key was last fetched is kept in a table in memory. Only the passing of a win
 * is written, once per recache, so that it holds for items on disk and over restarts.
 */
export class MetaCache {
  readonly #cache: KeyedItems;
  /** Set by what was staged; the caller clears it. */
  staged = false;

  constructor(cache: KeyedItems) {
    this.#cache = cache;
  }

  /** mg. On a hit `hit` has the value if v asked for it; its length is that of the value in any case. */
  get(key: KeyRange, meta: MetaFlags, fields: MetaFields, hit: Hit): 'hit' | 'miss' | 'no_memory' | NeedsLoad | NeedsRoom {
    const cache = this.#cache;
    this.#countUse(key, meta);
    const found = cache.lookUp(key, meta.value);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    const { live, now, hash } = found;
    if (meta.value && live !== undefined && live.length > cache.fetchLimit) return NEEDS_ROOM;
    fields.reset();
    cache.prefixes.quotas?.countGet(key.buffer, key.start, key.end, live !== undefined);
    if (live === undefined) {
      if (meta.vivify === undefined) {
        cache.counters.cmd_get++;
        cache.counters.get_misses++;
        return 'miss';
      }
      if (!cache.hasRoomFor(found, 0)) {
        cache.countRefused(key);
        return 'no_memory';
      }
      return this.#vivify(found, key, meta, fields, hit);
    }
    if (meta.ttl === undefined) {
      cache.counters.cmd_get++;
      cache.counters.get_hits++;
    } else {
      cache.counters.cmd_touch++;
      cache.counters.touch_hits++;
    }
    this.#describe(live, key, found, fields);
    const walk = walkSteps(meta, live.expiresAt, live.bits, now, fields);
    fields.stale = (live.bits & STALE) !== 0;
    fields.winSent = (live.bits & WIN_SENT) !== 0;
    fields.won = walk.won || (fields.stale && !fields.winSent);
    const changes = walk.expiresAt !== live.expiresAt || fields.won;
    hit.length = live.length;
    hit.start = 0;
    // What follows may change the tier that a view of the value lies in.
    const copies = changes && found.slot >= 0;
    if (meta.value) hit.bytes = copies ? Buffer.from(live.value!) : live.value!;
    hit.owned = copies || found.slot < 0;
    if (changes && cache.isWritable) {
      this.staged = true;
      if (walk.expiresAt === AT_ONCE) cache.drop(found, key);
      else {
        const changed = withExpiry(live, walk.expiresAt, now);
        const kept = walk.expiresAt === live.expiresAt ? live : changed;
        cache.restate(found, key, live, { ...kept, bits: fields.won ? live.bits | WIN_SENT : live.bits });
      }
    }
    if (!meta.noBump) cache.noteAccess(hash, key, now);
    return 'hit';
  }

  /** ms: set, add, replace, append, prepend, with the conditions of C, I and N. */
  store(key: KeyRange, command: Command, fields: MetaFields, value: Buffer): StoreOutcome | NeedsLoad {
    const cache = this.#cache;
    const { meta } = command;
    const joins = meta.mode === 'append' || meta.mode === 'prepend';
    const found = cache.lookUp(key, joins, !joins);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    cache.counters.cmd_set++;
    cache.prefixes.quotas?.countSet(key.buffer, key.start, key.end);
    fields.reset();
    fields.cas = 0;
    fields.size = value.length;
    const { now } = found;
    const fresh = {
      ...cache.newItem(now, command.flags, command.exptime, value),
      bits: meta.base64 ? BASE64_KEY : 0,
      chosenCas: meta.newCas,
    };
    const outcome = joins ? this.#join(found, key, command, fields, fresh) : this.#replace(found, key, command, fields, fresh);
    if (outcome !== 'stored' && cache.observer !== undefined) {
      cache.tellStored(key, outcome, storeWord(command), fresh.expiresAt, now, value.length);
    }
    return outcome;
  }

  /** md: deletes, or marks stale (I), or empties (x). */
  delete(key: KeyRange, meta: MetaFlags, fields: MetaFields): 'deleted' | 'not_found' | 'exists' | NeedsLoad {
    const cache = this.#cache;
    const found = cache.lookUp(key, false);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    fields.reset();
    const { live, now } = found;
    if (live === undefined) {
      cache.counters.delete_misses++;
      return 'not_found';
    }
    if (meta.compareCas !== undefined && !cache.hasCas(live, meta.compareCas)) {
      cache.counters.delete_misses++;
      return 'exists';
    }
    this.staged = true;
    if (!meta.invalidate) cache.counters.delete_hits++;
    if (!meta.invalidate && !meta.clearValue) {
      cache.observer?.deleted(key.buffer, key.start, key.end, 'md', live.length);
      cache.drop(found, key);
    } else if (meta.clearValue) {
      const emptied = cache.newItem(now, meta.clientFlags, meta.ttl ?? 0, Buffer.alloc(0));
      const keptCas = meta.invalidate ? undefined : casOf(live);
      const bits = (live.bits & BASE64_KEY) | (meta.invalidate ? STALE : 0);
      cache.put(found, key, { ...emptied, bits, chosenCas: meta.newCas ?? keptCas });
      this.#tellEmptied(key, live, emptied, now);
    } else {
      const expiresAt = meta.ttl === undefined ? live.expiresAt : expiryOf(meta.ttl, now);
      if (expiresAt === AT_ONCE) {
        cache.drop(found, key);
        return 'deleted';
      }
      const kept = meta.ttl === undefined ? live : withExpiry(live, expiresAt, now);
      const bits = (live.bits & ~WIN_SENT) | STALE;
      cache.restate(found, key, live, { ...kept, bits, cas: cache.nextCas(), chosenCas: meta.newCas });
    }
    return 'deleted';
  }

  /** ma; the new number is in `Cache.deltaResult`. */
  arithmetic(key: KeyRange, meta: MetaFlags, fields: MetaFields): 'stored' | 'not_found' | 'exists' | 'non_numeric' | 'no_memory' | NeedsLoad {
    const cache = this.#cache;
    const found = cache.lookUp(key, true);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    fields.reset();
    const { live, now } = found;
    const increment = meta.mode !== 'decr';
    if (live === undefined) {
      if (meta.vivify === undefined) {
        if (increment) cache.counters.incr_misses++;
        else cache.counters.decr_misses++;
        return 'not_found';
      }
      const made = cache.newItem(now, 0, 0, Buffer.from(String(meta.initial), 'latin1'));
      if (!cache.hasRoomFor(found, made.length)) {
        cache.countRefused(key);
        return 'no_memory';
      }
      return this.#putNumber(found, key, meta, fields, { ...made, bits: meta.base64 ? BASE64_KEY : 0 }, meta.initial, true);
    }
    if (live.length === 0) return 'non_numeric';
    if (this.#isOther(live, meta)) return 'exists';
    const result = addDelta(live.value!, meta.delta, increment);
    if (result === undefined) return 'non_numeric';
    if (!cache.hasRoomFor(found, result.value.length)) {
      cache.countRefused(key);
      return 'no_memory';
    }
    if (increment) cache.counters.incr_hits++;
    else cache.counters.decr_hits++;
    return this.#putNumber(found, key, meta, fields, { ...live, storedAt: now, value: result.value }, result.number, false);
  }

  /** me: looks without counting as an access. */
  debug(key: KeyRange, fields: MetaFields): 'hit' | 'miss' | NeedsLoad {
    const found = this.#cache.lookUp(key, false);
    if (found === NEEDS_LOAD) return NEEDS_LOAD;
    this.#cache.counters.cmd_meta++;
    fields.reset();
    if (found.live === undefined) return 'miss';
    this.#describe(found.live, key, found, fields);
    fields.ttl = secondsLeft(found.live.expiresAt, found.now);
    return 'hit';
  }

  /** Tells the RAM tier of the use, and the counters of a key that it does not have: before the lookup, which puts it there. */
  #countUse({ buffer, start, end }: KeyRange, meta: MetaFlags): void {
    const { residency } = this.#cache;
    const slot = residency.ram.find(residency.hash(buffer, start, end), buffer, start, end);
    if (slot < 0) {
      if (residency.besideRam(buffer.toString('latin1', start, end), false) === undefined) residency.reads.lookups++;
    } else if (!meta.noBump) {
      residency.ram.touched(slot);
    }
  }

  #describe(item: Item, key: KeyRange, { hash, now }: Found, fields: MetaFields): void {
    const last = this.#cache.lastAccess(hash, key);
    fields.size = item.length;
    fields.cas = this.#cache.shownCas(item);
    fields.clientFlags = item.flags;
    fields.lastAccess = Math.max(0, now - Math.max(last, item.storedAt));
    fields.fetched = last !== 0;
    fields.base64Key = (item.bits & BASE64_KEY) !== 0;
  }

  /** A miss with N: makes an empty item whose value this client is to store; others are told so. */
  #vivify(found: Found, key: KeyRange, meta: MetaFlags, fields: MetaFields, hit: Hit): 'hit' {
    const cache = this.#cache;
    const { now, hash } = found;
    if (meta.ttl === undefined) {
      cache.counters.cmd_get++;
      cache.counters.get_hits++;
    } else {
      cache.counters.cmd_touch++;
      cache.counters.touch_hits++;
    }
    const walk = walkSteps(meta, NEVER, WIN_SENT, now, fields, true);
    const bits = WIN_SENT | (meta.base64 ? BASE64_KEY : 0);
    const made = { ...cache.newItem(now, 0, 0, Buffer.alloc(0)), bits, chosenCas: meta.newCas };
    this.staged = true;
    cache.put(found, key, expiring(made, walk.expiresAt, now));
    this.#describe(made, key, found, fields);
    fields.cas = cache.storedCas;
    fields.won = true;
    hit.bytes = Buffer.alloc(0);
    hit.start = 0;
    hit.length = 0;
    hit.owned = true;
    if (!meta.noBump) cache.noteAccess(hash, key, now);
    return 'hit';
  }

  /** set, add and replace; the first and the last may ask for a cas unique. */
  #replace(found: Found, key: KeyRange, command: Command, fields: MetaFields, fresh: Item): StoreOutcome {
    const cache = this.#cache;
    const { live } = found;
    const { meta } = command;
    const word = storeWord(command);
    if (meta.compareCas !== undefined && meta.mode !== 'add') {
      if (live === undefined) {
        cache.counters.cas_misses++;
        return 'not_found';
      }
      if (!cache.hasCas(live, meta.compareCas)) {
        // 0 is nobody's cas unique, not the oldest.
        if (!meta.invalidate || meta.compareCas === 0 || meta.compareCas > cache.shownCas(live)) {
          cache.counters.cas_badval++;
          return 'exists';
        }
        // An older writer: its value is better than none, and stale.
        cache.counters.cas_hits++;
        const { expiresAt, ttlShift, bits } = live;
        return this.#put(found, key, { ...fresh, expiresAt, ttlShift, bits: fresh.bits | STALE | (bits & WIN_SENT) }, fields, word);
      }
      cache.counters.cas_hits++;
    } else if (meta.mode === 'replace' && live === undefined) {
      return 'not_stored';
    } else if (meta.mode === 'add' && live !== undefined) {
      return 'not_stored';
    }
    return this.#put(found, key, fresh, fields, word);
  }

  #join(found: Found, key: KeyRange, command: Command, fields: MetaFields, fresh: Item): StoreOutcome {
    const { live, now } = found;
    const { meta, flags } = command;
    const word = storeWord(command);
    if (live === undefined) {
      if (meta.vivify === undefined) return 'not_stored';
      return this.#put(found, key, { ...fresh, flags, ...expiryFields(expiryOf(meta.vivify, now), now) }, fields, word);
    }
    if (this.#isOther(live, meta)) return 'exists';
    const cache = this.#cache;
    const length = live.length + fresh.length;
    if (cache.isTooLarge(key.end - key.start, live.flags, length)) return 'not_stored';
    this.staged = true;
    cache.join(found, key, live, meta.mode === 'append' ? Op.append : Op.prepend, fresh.value!, meta.newCas);
    if (cache.observer !== undefined) cache.tellStored(key, 'stored', word, live.expiresAt, now, length);
    fields.size = length;
    fields.cas = cache.storedCas;
    // k shows the key as this request sent it.
    fields.base64Key = meta.base64;
    return 'stored';
  }

  /** The condition of C where 0 is none: for the modes A and P of ms and for ma, as in the binary protocol. */
  #isOther(live: Item, { compareCas }: MetaFlags): boolean {
    return compareCas !== undefined && compareCas !== 0 && !this.#cache.hasCas(live, compareCas);
  }

  /** Stores an item; the observer is told under `word`, if there is one. */
  #put(found: Found, key: KeyRange, item: Item, fields: MetaFields, word: StoreWord | undefined, isRecount = false): 'stored' {
    this.staged = true;
    this.#cache.put(found, key, item, isRecount);
    if (word !== undefined && this.#cache.observer !== undefined) {
      this.#cache.tellStored(key, 'stored', word, item.expiresAt, found.now, item.value!.length);
    }
    fields.cas = this.#cache.storedCas;
    fields.base64Key = (item.bits & BASE64_KEY) !== 0;
    return 'stored';
  }

  /** md x: memcached sets an empty value, after a lookup of its own. */
  #tellEmptied({ buffer, start, end }: KeyRange, live: Item, { expiresAt }: Item, now: number): void {
    const { observer } = this.#cache;
    if (observer === undefined) return;
    observer.looked(buffer, start, end, 'found', live.length);
    this.#cache.tellStored({ buffer, start, end }, 'stored', 'set', expiresAt, now, 0);
  }

  #putNumber(found: Found, key: KeyRange, meta: MetaFlags, fields: MetaFields, item: Item, number: U64, made: boolean): 'stored' {
    const walk = walkSteps(meta, item.expiresAt, WIN_SENT, found.now, fields, made);
    const expires = walk.expiresAt === item.expiresAt ? item : expiring(item, walk.expiresAt, found.now);
    const isRecount = !made && item.value!.length === found.live?.length;
    this.#put(found, key, { ...expires, chosenCas: meta.newCas }, fields, undefined, isRecount);
    // k shows the key as this request sent it.
    fields.base64Key = meta.base64;
    if (made) this.#cache.tellMade(key, expires, found.now);
    this.#cache.deltaResult = number;
    return 'stored';
  }
}

/**
 * Walks the steps N R T t in the order of the request: T and, for an item just made, N set the time to
 * live; t shows it as it is at that point; R wins when less than its time is left and nobody has won.
 */
function walkSteps(meta: MetaFlags, expiresAt: number, bits: number, now: number, fields: MetaFields, made = false): Walk {
  let expires = expiresAt;
  let won = false;
  for (const step of meta.ttlSteps) {
    switch (step) {
      case 'N':
        if (made) expires = expiryOf(meta.vivify ?? 0, now);
        break;
      case 'T':
        expires = expiryOf(meta.ttl ?? 0, now);
        break;
      case 'R':
        if ((bits & WIN_SENT) === 0 && expires !== NEVER && (meta.recache ?? 0) > 0) won ||= expires < expiryOf(meta.recache ?? 0, now);
        break;
      case 't':
        fields.ttl = secondsLeft(expires, now);
        break;
    }
  }
  return { expiresAt: expires, won };
}

/** Seconds to live; -1 = for ever. */
function secondsLeft(expiresAt: number, now: number): number {
  return expiresAt === NEVER ? -1 : Math.max(0, expiresAt - now);
}

/** An item to be put with another expiry time, which may be AT_ONCE. */
function expiring(item: Item, expiresAt: number, now: number): Item {
  return { ...item, ...expiryFields(expiresAt, now) };
}

function expiryFields(expiresAt: number, now: number): Pick<Item, 'expiresAt' | 'ttlShift'> {
  return { expiresAt, ttlShift: expiresAt > 0 ? ttlShift(expiresAt - now) : 0 };
}
