import type { Item, U64 } from '../item.ts';
import { addDelta } from './add-delta.ts';
import { Op } from './command.ts';
import { AT_ONCE, expiryOf } from './exptime.ts';
import { type Hit, type KeyRange, NEEDS_LOAD, NEEDS_ROOM, type NeedsLoad, type NeedsRoom } from './hit.ts';
import { type Found, KeyedItems, withExpiry } from './keyed-items.ts';
import type { StoreWord } from './observer.ts';
import { decideStore, type StoreOp, type StoreOutcome, storeWordOf } from './store-item.ts';

/**
 * The commands of memcached on items that outlive the process. Each command is one synchronous step:
 * read what is resident, decide, stage. What it staged is visible to all at once and acknowledged
 * when it is committed; that wait is the caller's.
 */
export class Cache extends KeyedItems {
  /** get and gets (`exptime` undefined), gat and gats. True on a hit, described in `hit`. `knownHash` is the key's, if it is known. */
  fetch(key: KeyRange, exptime: number | undefined, hit: Hit, knownHash?: number): boolean | NeedsLoad | NeedsRoom {
    const now = this.now();
    const { buffer, start, end } = key;
    const { residency, counters } = this;
    const hash = knownHash ?? residency.hash(buffer, start, end);
    const ram = residency.ram;
    const slot = ram.find(hash, buffer, start, end);
    let text: string | undefined;
    let item: Item | undefined;
    if (slot >= 0) {
      ram.touched(slot);
      if (!ram.isAbsent(slot)) {
        if (exptime === undefined && this.isAlive(ram.expiresAt(slot), ram.cas(slot), now)) {
          if (ram.length(slot) > this.fetchLimit) return NEEDS_ROOM;
          counters.cmd_get++;
          counters.get_hits++;
          this.noteAccessIn(slot, hash, now);
          if (this.prefixes.isCounting) this.prefixes.countGet(buffer, start, end, true);
          hit.bytes = ram.valueBuffer(slot);
          hit.start = ram.valueStart(slot);
          hit.length = ram.length(slot);
          hit.flags = ram.flags(slot);
          hit.cas = this.showsCas ? ram.cas(slot) : 0;
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
      if (known !== null && this.isAlive(known.expiresAt, known.cas, now)) {
        const whole = known.value === undefined ? residency.besideRam(text, true) : known;
        if (whole == null) return NEEDS_LOAD;
        item = whole;
      } else {
        item = known ?? undefined;
      }
    }
    if (item !== undefined && item.length > this.fetchLimit) return NEEDS_ROOM;
    const live = this.countLookup(key, item, now);
    if (exptime === undefined) counters.cmd_get++;
    else counters.cmd_touch++;
    if (this.prefixes.isCounting) this.prefixes.countGet(buffer, start, end, live !== undefined);
    if (live === undefined) {
      if (exptime === undefined) counters.get_misses++;
      else counters.touch_misses++;
      return false;
    }
    this.noteAccessIn(slot, hash, now);
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
    this.#restart({ hash, text: text ?? buffer.toString('latin1', start, end), old: live, live, slot, now }, key, live, exptime);
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
    let outcome = decideStore(op, live, casUnique, this.showsCas);
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
      this.putNew(found, key, flags, exptime, value);
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
      if (!this.hasRoomFor(found, made.length)) {
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
    if (!this.hasRoomFor(found, result.value.length)) {
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
    this.noteAccess(found.hash, key, found.now);
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
    this.flush(at);
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
