import { randomInt } from 'node:crypto';
import type { Item, Place } from '../item.ts';
import { hashKey } from '../ram/hash.ts';
import type { PlaceTable } from '../ram/place-table.ts';
import type { RamTier } from '../ram/ram-tier.ts';
import { isToldByRecord } from '../store/value-record.ts';
import type { Store } from '../store/store.ts';
import { LARGE_LOAD_BYTES, LargeLoads } from './large-loads.ts';
import { ReadPace } from './read-pace.ts';
import { StallWatch } from './stall-watch.ts';
import { SLICE_MS, SlicedQueue } from '../sliced-queue.ts';

/** Keys read with one LevelDB call: enough to share its cost, few enough to spread over threads. */
const FETCH_KEYS = 32;

/** A key to load: with its value, or only what is known about it. */
export interface Want {
  readonly key: string;
  readonly value: boolean;
  /** A value that is longer stays on disk; undefined = none is too long. */
  readonly most?: number;
}

/** A key as it stands in a record of a value segment, and where that begins. */
export interface PlacedKey {
  readonly key: string;
  readonly offset: number;
}

interface Ticket {
  readonly key: string;
  value: boolean;
  /** Longest value that is read. */
  most: number;
  readonly waiters: Waiter[];
  /** The key's state if it changed while it was being read: who knows all but the value may change it. */
  changed: Item | null | undefined;
}

interface Waiter {
  missing: number;
  readonly keys: string[];
  readonly done: (error: Error | undefined) => void;
}

interface Held {
  item: Item | null;
  holders: number;
}

/**
 * What is known in memory of the newest state of keys: the RAM tier, what is staged, and what was just
 * read for someone who waits. A decision about a key is taken only while its state is resident, and in
 * one synchronous step, so read-modify-write needs no locks: whoever finds a key not resident waits
 * for it to be read, and all who wait for the same key run one after the other.
 *
 * 1. Who wants to change a key that is being read waits for the same read. Only who already holds what is
 *    known about it can change it meanwhile; the read then takes over that change.
 * 2. What was read is held until those who waited have run, however small the RAM tier is.
 */
export class Residency {
  readonly ram: RamTier;
  readonly #store: Store;
  /** Of keys whose records tell all of them. */
  readonly #places: PlaceTable;
  readonly #seed = randomInt(2 ** 32);
  /** For the bytes of a key that is at hand as a string; longer ones than any is are cut off, and not found. */
  readonly #scratch = Buffer.allocUnsafeSlow(256);
  readonly #held = new Map<string, Held>();
  readonly #tickets = new Map<string, Ticket>();
  readonly #pace = new ReadPace();
  readonly #stall: StallWatch;
  readonly #large: LargeLoads;
  #queue: Ticket[] = [];
  #scheduled = false;
  /** Reads under way. */
  #fetching = 0;
  /** No read may begin. */
  #quiet = false;
  /** For stats: rows and values read from disk, and retrievals that the RAM tier could not answer. */
  readonly reads: { rows: number; values: number; lookups: number } = { rows: 0, values: 0, lookups: 0 };

  /** `line` is where those stand who wait for large values that were read; others may stand there too. */
  constructor(store: Store, ram: RamTier, line: SlicedQueue = new SlicedQueue(SLICE_MS)) {
    this.#places = ram.places;
    this.#store = store;
    this.#large = new LargeLoads(line);
    this.#stall = new StallWatch(store);
    this.ram = ram;
  }

  /** Keys that are being read, or wait for it. */
  get loading(): number {
    return this.#tickets.size;
  }

  hash(key: Uint8Array, start: number, end: number): number {
    return hashKey(key, start, end, this.#seed);
  }

  /** The newest state of the key in a slot of the RAM tier; null when absent. A value is a view: use it before anything else changes. */
  inRam(slot: number, withValue = true): Item | null {
    return this.ram.isAbsent(slot) ? null : this.ram.item(slot, withValue);
  }

  /** The same for a key that the RAM tier does not have. */
  besideRam(key: string, value: boolean): Item | null | undefined {
    let item = this.#store.pending(key);
    if (item === undefined && this.#held.size > 0) item = this.#held.get(key)?.item;
    if (item === undefined || item === null || !value || item.value !== undefined) return item;
    // Known, but its value is on disk; someone may hold it.
    const held = this.#held.get(key)?.item;
    return held !== undefined && held !== null && held.cas === item.cas && held.value !== undefined
      ? { ...item, value: held.value }
      : undefined;
  }

  /**
   * The state of a key that is not resident, read at once; undefined when it has to be loaded, because
   * reads are slow just now or enough was read in this turn. To be used at once: it is not held.
   */
  readNow(key: string, value: boolean): Item | null | undefined {
    // Known without its value: only the value is to be read, which `load` does.
    if (this.#quiet || this.besideRam(key, false) !== undefined || this.#stall.isStalled || !this.#pace.mayBlock()) return undefined;
    let found: Item | null | undefined;
    try {
      found = this.#readNow(key, value);
    } catch {
      // `load` tries again, and tells the client if it cannot be read: there is no one to tell here.
      found = undefined;
    }
    this.#pace.finish();
    if (value && found !== undefined) this.#keep(key, found);
    return found;
  }

  #readNow(key: string, value: boolean): Item | null | undefined {
    const hash = this.hashOf(key);
    const place = this.#places.find(hash);
    const placed = place === undefined ? undefined : this.#store.fetchPlacedNow(key, place, value);
    if (placed !== undefined) {
      this.reads.values++;
      return placed;
    }
    const item = this.#store.fetchNow(key);
    this.reads.rows++;
    if (item === undefined) return null;
    if (!value || item.value !== undefined) return item;
    const found = this.#store.readValueNow(key, item, () => this.ram.notePlace(hash, item.place!));
    if (found === undefined) return undefined;
    this.reads.values++;
    return { ...item, value: found };
  }

  /** The hash of a key that is a latin1 string. */
  hashOf(key: string): number {
    return this.hash(this.#scratch, 0, this.#scratch.write(key, 'latin1'));
  }

  /**
   * What is known of the newest state of a key, without its value: an item, null when absent, undefined when not resident. For
   * upkeep work that has no bytes at hand.
   */
  currentOf(key: string): Item | null | undefined {
    const length = this.#scratch.write(key, 'latin1');
    const slot = this.ram.find(this.hash(this.#scratch, 0, length), this.#scratch, 0, length);
    return slot >= 0 ? this.inRam(slot, false) : this.besideRam(key, false);
  }

  /** Notes the new state of a key after staging it, and when it was last asked for: Unix seconds, 0 = never. `slot`: as in `RamTier.put`. */
  remember(hash: number, bytes: Uint8Array, start: number, end: number, key: string, item: Item | undefined, accessedAt: number, slot?: number): void {
    this.ram.put(hash, bytes, start, end, item, accessedAt, slot);
    if (item?.place !== undefined && isToldByRecord(item)) this.ram.notePlace(hash, item.place);
    else this.#places.forget(hash);
    this.#pass(key, item ?? null);
  }

  /**
   * Notes that an item was deleted that nobody asked about, after staging that. Its absence is not worth memory that items in use
   * have: a delete of a prefix would push them all out.
   */
  gone(key: string): void {
    const bytes = Buffer.from(key, 'latin1');
    const hash = this.hash(bytes, 0, bytes.length);
    this.ram.forget(hash, bytes, 0, bytes.length);
    this.#places.forget(hash);
    this.#pass(key, null);
  }

  /** Notes a change of what is known of an item whose value stayed; `inRam`: the RAM tier has it already. */
  changed(key: string, item: Item, inRam: boolean): void {
    if (!inRam && item.value !== undefined) this.#keep(key, item);
    this.#places.forget(this.hashOf(key));
    this.#pass(key, item);
  }

  /** Notes that the value of an item now lies at another place of the value log than `from`. */
  moved(key: string, item: Item, from: Place): void {
    const hash = this.hashOf(key);
    const slot = this.ram.findPlaced(hash, from.segment, from.offset);
    const place = item.place;
    const noted = this.#places.find(hash);
    // It may be that of another key.
    if (place !== undefined && noted?.segment === from.segment && noted.offset === from.offset) this.#places.note(hash, place);
    if (slot >= 0 && place !== undefined) this.ram.setPlace(slot, place.segment, place.offset, place.size);
    this.#pass(key, item);
  }

  /** Forgets all that is known of some keys: what is on disk counts again. */
  forget(keys: Iterable<string>): void {
    this.#places.clear();
    for (const key of keys) {
      const bytes = Buffer.from(key, 'latin1');
      this.ram.forget(this.hash(bytes, 0, bytes.length), bytes, 0, bytes.length);
      this.#held.delete(key);
      const ticket = this.#tickets.get(key);
      if (ticket !== undefined) this.#failTicket(ticket, new Error('what was to be read was lost with a failed write'));
    }
  }

  /**
   * Hands to `step` for each of some records of a value segment the item whose value it is, without the value; undefined for a record
   * that is dead. The step is run at once where all is known, else when it was read.
   */
  async itemsOf<T>(segment: number, records: readonly PlacedKey[], step: (items: readonly (Item | undefined)[]) => T): Promise<T> {
    const items = this.#itemsNow(segment, records);
    if (items !== undefined) return step(items);
    return await this.withKnown(
      records.map(({ key }) => key),
      () => step(records.map(({ key, offset }) => ifAt(this.currentOf(key), segment, offset))),
    );
  }

  /** Makes keys resident, without values, and runs `step` on them at once, in which they stay so whatever it changes. */
  withKnown<T>(keys: readonly string[], step: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (error: Error | undefined): void => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        try {
          resolve(this.#holding(keys, step, rows));
        } catch (cause) {
          reject(cause);
        }
      };
      const rows = new Map<string, Item | null>();
      if (this.#allKnownNow(keys, rows)) {
        run(undefined);
        return;
      }
      rows.clear();
      const wants: Want[] = [];
      for (const key of keys) if (this.currentOf(key) === undefined) wants.push({ key, value: false });
      this.load(wants, (error) => {
        if (error !== undefined || keys.every((key) => this.currentOf(key) !== undefined)) {
          run(error);
          return;
        }
        // What was resident when asked was evicted while the rest was read. Now all are held together.
        this.load(keys.map((key) => ({ key, value: false })), run);
      });
    });
  }

  /**
   * Makes keys resident and then calls `done`, in which they all are; afterwards they need not be.
   * With an error nothing could be read. `done` must not throw.
   */
  load(wants: readonly Want[], done: (error: Error | undefined) => void): void {
    const waiter: Waiter = { missing: 0, keys: [], done };
    for (const want of wants) {
      const held = this.#held.get(want.key);
      const most = want.most ?? Number.POSITIVE_INFINITY;
      if (held !== undefined && (held.item === null || !want.value || held.item.value !== undefined || held.item.length > most)) {
        held.holders++;
        waiter.keys.push(want.key);
        continue;
      }
      let ticket = this.#tickets.get(want.key);
      if (ticket === undefined) {
        ticket = { key: want.key, value: want.value, most, waiters: [], changed: undefined };
        this.#tickets.set(want.key, ticket);
        this.#queue.push(ticket);
        this.#schedule();
      } else if (want.value) {
        ticket.most = ticket.value ? Math.max(ticket.most, most) : most;
        ticket.value = true;
      }
      if (ticket.waiters.at(-1) === waiter) continue;
      ticket.waiters.push(waiter);
      waiter.missing++;
    }
    if (waiter.missing === 0) queueMicrotask(() => this.#finish(waiter, undefined));
  }

  /**
   * Runs `work` while nothing is being read; what is asked for meanwhile is read afterwards. For
   * opening the store anew.
   */
  async whileQuiet(work: () => Promise<void>): Promise<void> {
    this.#quiet = true;
    try {
      while (this.#fetching > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await work();
      // What was moved may be where it was before.
      this.#places.clear();
    } finally {
      this.#quiet = false;
      if (this.#queue.length > 0) this.#schedule();
    }
  }

  #itemsNow(segment: number, records: readonly PlacedKey[]): (Item | undefined)[] | undefined {
    const items: (Item | undefined)[] = [];
    for (const { key, offset } of records) {
      const slot = this.ram.findPlaced(this.hashOf(key), segment, offset);
      let item = slot >= 0 ? this.ram.item(slot, false) : this.currentOf(key);
      if (item === undefined) item = this.readNow(key, false);
      if (item === undefined) return undefined;
      items.push(ifAt(item, segment, offset));
    }
    return items;
  }

  /** True when all keys are resident or could be read at once, into `into`. */
  #allKnownNow(keys: readonly string[], into: Map<string, Item | null>): boolean {
    for (const key of keys) {
      if (this.currentOf(key) !== undefined) continue;
      const found = this.readNow(key, false);
      if (found === undefined) return false;
      into.set(key, found);
    }
    return true;
  }

  /**
   * Runs a step while keys that are resident, or were just read, are held: what it stages could evict some of them from the RAM
   * tier.
   */
  #holding<T>(keys: readonly string[], step: () => T, rows: ReadonlyMap<string, Item | null>): T {
    for (const key of keys) {
      const held = this.#held.get(key);
      if (held !== undefined) {
        held.holders++;
        continue;
      }
      const row = rows.get(key);
      const item = row === undefined ? this.currentOf(key) : row;
      // Nobody asked for a value, which may be large.
      this.#held.set(key, { item: item == null ? null : item.value === undefined ? item : { ...item, value: undefined }, holders: 1 });
    }
    try {
      return step();
    } finally {
      this.#release(keys);
    }
  }

  #release(keys: readonly string[]): void {
    for (const key of keys) {
      const held = this.#held.get(key);
      if (held !== undefined && --held.holders <= 0) this.#held.delete(key);
    }
  }

  /** Tells those who hold or await a key what it is now. */
  #pass(key: string, item: Item | null): void {
    if (this.#held.size > 0) {
      const held = this.#held.get(key);
      if (held !== undefined) {
        // The value does not change while the cas unique stays.
        const known = held.item;
        const keepsValue = item !== null && item.value === undefined && known !== null && known.cas === item.cas;
        held.item = keepsValue ? { ...item, value: known.value } : item;
      }
    }
    if (this.#tickets.size > 0) {
      const ticket = this.#tickets.get(key);
      if (ticket !== undefined) ticket.changed = item;
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#quiet) return;
    this.#scheduled = true;
    // After the poll phase, so that all misses that arrived together share their reads.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#quiet) return;
      const queue = this.#queue;
      this.#queue = [];
      for (let i = 0; i < queue.length; i += FETCH_KEYS) void this.#fetch(queue.slice(i, i + FETCH_KEYS));
    });
  }

  async #fetch(tickets: readonly Ticket[]): Promise<void> {
    this.#fetching++;
    try {
      const unknown: Ticket[] = [];
      const settling: Promise<void>[] = [];
      for (const ticket of tickets) {
        // Staged without its value (a touch of an item whose value is on disk): the row on disk is older.
        const staged = this.#store.pending(ticket.key);
        const place = staged === undefined ? this.#places.find(this.hashOf(ticket.key)) : undefined;
        if (place !== undefined) settling.push(this.#fetchPlaced(ticket, place));
        else if (staged === undefined) unknown.push(ticket);
        else settling.push(this.#settle(ticket, staged));
      }
      if (unknown.length === 0) {
        await Promise.all(settling);
        return;
      }
      const items = await this.#store.fetch(unknown.map((ticket) => ticket.key));
      this.reads.rows += unknown.length;
      unknown.forEach((ticket, i) => settling.push(this.#settle(ticket, items[i] ?? null)));
      await Promise.all(settling);
    } catch (error) {
      for (const ticket of tickets) this.#failTicket(ticket, error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#fetching--;
    }
  }

  /** Reads a key's item from its record, without its row; from the row when that is the record of another key. */
  async #fetchPlaced(ticket: Ticket, place: Place): Promise<void> {
    try {
      let item = await this.#store.fetchPlaced(ticket.key, place, ticket.value);
      if (item !== undefined) {
        this.reads.values++;
      } else {
        this.reads.rows++;
        [item] = await this.#store.fetch([ticket.key]);
      }
      await this.#settle(ticket, item ?? null);
    } catch (error) {
      this.#failTicket(ticket, error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #settle(ticket: Ticket, item: Item | null): Promise<void> {
    // Failed meanwhile.
    if (this.#tickets.get(ticket.key) !== ticket) return;
    const before = takeChange(ticket);
    let found = before === undefined ? item : before;
    let isLarge = false;
    try {
      while (found !== null && ticket.value && found.value === undefined && found.length <= ticket.most) {
        if (!isLarge && found.length > LARGE_LOAD_BYTES) {
          await this.#large.begin();
          isLarge = true;
          if (this.#tickets.get(ticket.key) !== ticket) return;
        }
        this.reads.values++;
        let isTold = false;
        const value: Buffer | undefined = await this.#store.readValue(ticket.key, found, () => (isTold = true));
        if (this.#tickets.get(ticket.key) !== ticket) return;
        const changed = takeChange(ticket);
        if (changed !== undefined) {
          found = changed !== null && changed.cas === found.cas && value !== undefined ? { ...changed, value } : changed;
        } else if (value !== undefined) {
          if (isTold) this.ram.notePlace(this.hashOf(ticket.key), found.place!);
          found = { ...found, value };
        } else {
          // Damaged or gone: the item is worth nothing without its value.
          this.#store.remove(ticket.key, found);
          this.#places.forget(this.hashOf(ticket.key));
          found = null;
        }
      }
      const ready = this.#settled(ticket, found);
      if (isLarge) await this.#large.handOver(ready.map((waiter) => () => this.#finish(waiter, undefined)));
      else for (const waiter of ready) this.#finish(waiter, undefined);
    } catch (error) {
      this.#failTicket(ticket, error instanceof Error ? error : new Error(String(error)));
    } finally {
      if (isLarge) this.#large.end();
    }
  }

  /** Holds what was read for those who wait for it. Returns those of them who have all they waited for. */
  #settled(ticket: Ticket, found: Item | null): Waiter[] {
    this.#tickets.delete(ticket.key);
    // Who was told that another of its keys could not be read waits no more.
    const waiters = ticket.waiters.filter(({ missing }) => missing > 0);
    if (waiters.length > 0) {
      const holders = (this.#held.get(ticket.key)?.holders ?? 0) + waiters.length;
      this.#held.set(ticket.key, { item: found, holders });
    }
    if (ticket.value && (found === null || found.value !== undefined)) this.#keep(ticket.key, found);
    for (const waiter of waiters) waiter.keys.push(ticket.key);
    return waiters.filter((waiter) => --waiter.missing === 0);
  }

  /** Puts what a reader asked for into the RAM tier, misses included: the set that often follows one need not read. */
  #keep(key: string, item: Item | null): void {
    const bytes = Buffer.from(key, 'latin1');
    this.ram.put(this.hash(bytes, 0, bytes.length), bytes, 0, bytes.length, item ?? undefined);
  }

  #failTicket(ticket: Ticket, error: Error): void {
    if (this.#tickets.get(ticket.key) === ticket) this.#tickets.delete(ticket.key);
    for (const waiter of ticket.waiters) {
      if (waiter.missing > 0) {
        waiter.missing = 0;
        this.#finish(waiter, error);
      }
    }
  }

  #finish(waiter: Waiter, error: Error | undefined): void {
    try {
      waiter.done(error);
    } finally {
      this.#release(waiter.keys);
    }
  }
}

/** The item, if its value lies at this place. */
function ifAt(item: Item | null | undefined, segment: number, offset: number): Item | undefined {
  return item?.place?.segment === segment && item.place.offset === offset ? item : undefined;
}

function takeChange(ticket: Ticket): Item | null | undefined {
  const { changed } = ticket;
  ticket.changed = undefined;
  return changed;
}
