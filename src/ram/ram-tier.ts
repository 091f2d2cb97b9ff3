import { asSmall, BuiltItem, type Item, type Place } from '../item.ts';
import { AccessTable } from './access-table.ts';
import { Arena, HEADER_BYTES, NOWHERE, type Mover } from './arena.ts';
import { GhostTable, ghostsFor } from './ghost-table.ts';
import { BUCKET_WORDS, PlaceTable } from './place-table.ts';
import {
  ACCESSED_AT,
  AT,
  EXPIRES_AT,
  FLAGS,
  HASH,
  KEY_LENGTH,
  LENGTH,
  NEXT,
  PLACE_OFFSET,
  PLACE_SEGMENT,
  PLACE_SIZE,
  ROW_BYTES,
  ROW_DOUBLES,
  ROW_WORDS,
  STATE,
  STORED_AT,
  TTL_SHIFT,
} from './row.ts';
import { INDEX_BYTES_PER_SLOT, SlotIndex } from './slot-index.ts';

/** A row with its share of the index and its usual share of the ghost table. */
const SLOT_BYTES = ROW_BYTES + INDEX_BYTES_PER_SLOT + 4;
/** Most slots: their rows are one piece of memory, of which Node 20 allows 4 GiB. Reached above `-m` 22 GB or so. */
const MAX_SLOTS = Math.floor((2 ** 32 - 1) / ROW_BYTES);
/**
 * Bytes of budget per slot. The number of slots follows from the budget, so that nothing is ever rehashed
 * while clients wait; items smaller than this on average run out of slots before they run out of arena.
 */
const BUDGET_PER_SLOT = 208;
/** Most keys of one `prefetch`. */
const PREFETCHED_MAX = 64;
/** As for `-m`. */
const MAX_BYTES = 2 ** 40;
/**
 * Rows that entries keep, for each that was ever in use, and the least share of all: the other ones hold places until they are needed.
 * Items of 1 KB use one of seven.
 */
const ROWS_PER_USED = 1.25;
const ROWS_LEAST = 1 / 8;
/** The table of places is emptied by parts of so many bytes, when something is noted in them. */
const PLACE_PART_BYTES = 2 ** 16;
const MAX_FREQUENCY = 3;
const FREQUENCY_MASK = 3;
const ABSENT_BIT = 4;
const OUT_OF_LINE_BIT = 8;
/** The item's own bits begin here. */
const ITEM_BITS_AT = 4;

/** What the RAM tier holds and has done. */
export interface RamStats {
  /** Bytes the tier may use and never exceeds. */
  readonly limitBytes: number;
  /** Bytes of keys, values and bookkeeping in use now. */
  readonly usedBytes: number;
  readonly items: number;
  readonly absent: number;
  readonly evictions: number;
  /** Bytes of those in use that tell where values lie which are on disk. */
  readonly placeBytes: number;
}

/**
 * The RAM tier: the newest state of the keys used lately, present or known absent, in a fixed
 * amount of memory. S3-FIFO (Yang et al., SOSP 2023) over a log-structured arena: new entries go
 * to a small queue (a tenth of the arena); those that are used again move to the main queue when
 * their segment is evicted, the rest leave only a fingerprint in the ghost table, which sends them
 * straight to the main queue should they come back soon.
 *
 * An entry is a slot: a row of numbers for what is known and a record in the arena for the
 * bytes of key and value. There is no JavaScript object per item, so the garbage collector has
 * nothing to walk and the memory in use is what is counted.
 *
 * Once there is not room for everything, rows that are not needed tell where values lie on disk.
 *
 * It is authoritative: what it holds is never older than what was stored. Slots and views are valid
 * only until the next call that may change the tier.
 */
export class RamTier implements Mover {
  /** Slots that there are. */
  #slots: number;
  /** Of those the ones for entries; the rows of all that follow hold places. */
  #entrySlots: number;
  #arena: Arena;
  #index: SlotIndex;
  #ghosts: GhostTable;
  /** The rows, three views of the same memory. */
  #words: Uint32Array;
  #doubles: Float64Array;
  #bytes: Uint8Array;
  #freeSlot = NOWHERE;
  #neverUsed = 0;
  #used = 0;
  #absent = 0;
  #evictions = 0;
  /** Index cells and then addresses of the keys that are prefetched. */
  readonly #prefetched = new Uint32Array(PREFETCHED_MAX);
  #limitBytes: number;
  /** When keys that are not in the tier were asked for. */
  readonly access: AccessTable;
  /** Where records of keys lie, whether their values are in the tier or not. */
  readonly places: PlaceTable = new PlaceTable();

  /**
   * `bytes` is a bound on everything the tier allocates; too few for four segments = an empty tier. It makes use of 32 GiB and
   * its rows at most. `access` is told when a key was last asked for that leaves the tier.
   *
   * @throws RangeError above 1 TiB, or when there is not so much memory
   */
  constructor(bytes: number, access: AccessTable = new AccessTable(0)) {
    if (bytes > MAX_BYTES) throw new RangeError(`A RAM tier of ${bytes} bytes: at most ${MAX_BYTES} are possible`);
    this.#limitBytes = bytes;
    this.access = access;
    this.#slots = Math.min(MAX_SLOTS, Math.max(16, Math.floor(bytes / BUDGET_PER_SLOT)));
    // Powers of two may take more per slot than SLOT_BYTES counts: the arena has what is really left.
    const ghostBytes = 4 * ghostsFor(this.#slots);
    this.#arena = new Arena(bytes - this.#slots * (ROW_BYTES + INDEX_BYTES_PER_SLOT) - ghostBytes, this);
    const capacity = this.#arena.enabled ? this.#slots : 0;
    this.#ghosts = new GhostTable(ghostsFor(capacity), this.#arena.segments);
    this.#entrySlots = this.#slots;
    const rows = new ArrayBuffer(capacity * ROW_BYTES);
    this.#words = new Uint32Array(rows);
    this.#doubles = new Float64Array(rows);
    this.#bytes = new Uint8Array(rows);
    this.#index = new SlotIndex(capacity, this.#words);
  }

  /** The slot of a key, or -1. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const length = end - start;
    for (let entry = this.#index.first(hash); entry !== 0; entry = this.#words[(entry - 1) * ROW_WORDS + NEXT]!) {
      const slot = entry - 1;
      if (this.#words[slot * ROW_WORDS + HASH] === hash && this.#bytes[slot * ROW_BYTES + KEY_LENGTH] === length && this.#sameKey(slot, key, start, length)) {
        return slot;
      }
    }
    return -1;
  }

  /**
   * The slot of the item with a value at this place of the value log, or -1; its key has this hash. Looks at rows alone: a record
   * may not have been in use for long, and memory that was not is slow.
   */
  findPlaced(hash: number, segment: number, offset: number): number {
    for (let entry = this.#index.first(hash); entry !== 0; entry = this.#words[(entry - 1) * ROW_WORDS + NEXT]!) {
      const slot = entry - 1;
      const row = slot * ROW_WORDS;
      const isPlaced = (this.#bytes[slot * ROW_BYTES + STATE]! & (OUT_OF_LINE_BIT | ABSENT_BIT)) === OUT_OF_LINE_BIT;
      if (isPlaced && this.#words[row + HASH] === hash && this.#words[row + PLACE_OFFSET] === offset && this.#words[row + PLACE_SEGMENT] === segment) return slot;
    }
    return -1;
  }

  /**
   * Touches what `find` and a look at the value would, of `count` keys by their hashes; one loop for each step, since nothing
   * in a loop waits for anything else in it. Returns a sum over what was there.
   */
  prefetch(hashes: Uint32Array, count: number): number {
    const index = this.#index;
    const words = this.#words;
    const places = this.#prefetched;
    for (let i = 0; i < count; i++) places[i] = index.first(hashes[i]!);
    for (let i = 0; i < count; i++) {
      const entry = places[i]!;
      places[i] = entry === 0 ? NOWHERE : words[(entry - 1) * ROW_WORDS + AT]!;
    }
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const address = places[i]!;
      if (address !== NOWHERE) sum += this.#arena.buffer(address)[this.#arena.offset(address)]!;
    }
    return sum;
  }

  /** Counts a use: what is used outlives what is not. */
  touched(slot: number): void {
    const state = this.#bytes[slot * ROW_BYTES + STATE]!;
    if ((state & FREQUENCY_MASK) < MAX_FREQUENCY) this.#bytes[slot * ROW_BYTES + STATE] = state + 1;
  }

  /** Notes that an item was asked for, for `accessedAt`. */
  noteAccess(slot: number, now: number): void {
    this.#words[slot * ROW_WORDS + ACCESSED_AT] = now;
  }

  /** Unix seconds when the item was last asked for; 0 when it never was, or that is forgotten. */
  accessedAt(slot: number): number {
    return this.#words[slot * ROW_WORDS + ACCESSED_AT]!;
  }

  isAbsent(slot: number): boolean {
    return (this.#bytes[slot * ROW_BYTES + STATE]! & ABSENT_BIT) !== 0;
  }

  /** True once there was not room for everything. */
  get isFull(): boolean {
    return this.#evictions > 0 || !this.#arena.enabled;
  }

  /** Notes in `places` where the record of a key lies now, if that may be of use: while all items are in the tier, nobody asks. */
  notePlace(hash: number, place: Place): void {
    if (!this.isFull) {
      this.places.forget(hash);
      return;
    }
    // All at once: a table that grows forgets.
    if (this.places.capacity === 0 && this.#spareSlots > 0) this.#holdPlacesIn(this.#spareSlots);
    this.places.note(hash, place);
  }

  flags(slot: number): number {
    return this.#words[slot * ROW_WORDS + FLAGS]!;
  }

  expiresAt(slot: number): number {
    return this.#words[slot * ROW_WORDS + EXPIRES_AT]!;
  }

  cas(slot: number): number {
    return asSmall(this.#doubles[slot * ROW_DOUBLES]!);
  }

  length(slot: number): number {
    return this.#words[slot * ROW_WORDS + LENGTH]!;
  }

  /** The buffer in which the value lies, from `valueStart(slot)` for `length(slot)` bytes. */
  valueBuffer(slot: number): Buffer {
    return this.#arena.buffer(this.#words[slot * ROW_WORDS + AT]!);
  }

  valueStart(slot: number): number {
    return this.#arena.offset(this.#words[slot * ROW_WORDS + AT]!) + HEADER_BYTES + this.#bytes[slot * ROW_BYTES + KEY_LENGTH]!;
  }

  /**
   * The item in a slot that is not absent; its value is a view, valid until the tier changes. Without it where
   * `withValue` is false: a view costs as much as all the rest.
   */
  item(slot: number, withValue = true): Item {
    const length = this.#words[slot * ROW_WORDS + LENGTH]!;
    let value: Buffer | undefined;
    if (withValue) {
      const start = this.valueStart(slot);
      value = this.valueBuffer(slot).subarray(start, start + length);
    }
    const state = this.#bytes[slot * ROW_BYTES + STATE]!;
    const row = slot * ROW_WORDS;
    const place: Place | undefined =
      (state & OUT_OF_LINE_BIT) !== 0 ? { segment: this.#words[row + PLACE_SEGMENT]!, offset: this.#words[row + PLACE_OFFSET]!, size: this.#words[row + PLACE_SIZE]! } : undefined;
    return new BuiltItem(
      this.#words[row + FLAGS]!,
      this.#words[row + EXPIRES_AT]!,
      this.#words[row + STORED_AT]!,
      asSmall(this.#doubles[slot * ROW_DOUBLES]!),
      this.#bytes[slot * ROW_BYTES + TTL_SHIFT]!,
      state >> ITEM_BITS_AT,
      undefined,
      length,
      value,
      place,
    );
  }

  /**
   * Remembers the newest state of a key: an item with its value, or undefined for absent. Returns
   * false, and forgets the key, when it is too large to be kept. `accessedAt` is when the item was last asked for: Unix seconds,
   * 0 = never, undefined = as it is known. `foundAt` is what `find` said of the key, if it found it and nothing has changed since.
   */
  put(hash: number, key: Uint8Array, start: number, end: number, item: Item | undefined, accessedAt?: number, foundAt: number = -1): boolean {
    const keyLength = end - start;
    const length = item === undefined ? 0 : item.length;
    const size = this.#arena.sizeOf(keyLength + length);
    let slot = foundAt >= 0 ? foundAt : this.find(hash, key, start, end);
    if (!this.#arena.fits(size) || (item !== undefined && (item.value === undefined || item.chosenCas !== undefined))) {
      if (slot >= 0) this.#free(slot);
      if (accessedAt !== undefined) this.access.note(hash, accessedAt);
      return false;
    }
    let frequency = 0;
    if (slot >= 0) {
      frequency = Math.min(MAX_FREQUENCY, (this.#bytes[slot * ROW_BYTES + STATE]! & FREQUENCY_MASK) + 1);
      if (this.isAbsent(slot)) this.#absent--;
      if (this.#arena.capacity(this.#words[slot * ROW_WORDS + AT]!) < size) {
        // Unhooked before allocating: an eviction on the way must not find and free this slot.
        this.#arena.discard(this.#words[slot * ROW_WORDS + AT]!);
        this.#words[slot * ROW_WORDS + AT] = NOWHERE;
        this.#words[slot * ROW_WORDS + AT] = this.#arena.allocate(slot, size, false);
        this.#writeKey(slot, key, start, keyLength);
      }
    } else {
      slot = this.#takeSlot();
      this.#words[slot * ROW_WORDS + AT] = NOWHERE;
      this.#words[slot * ROW_WORDS + HASH] = hash;
      this.#bytes[slot * ROW_BYTES + KEY_LENGTH] = keyLength;
      this.#words[slot * ROW_WORDS + ACCESSED_AT] = accessedAt ?? this.access.last(hash);
      const known = this.#ghosts.take(hash, this.#arena.smallEvicted, this.#arena.segmentsUsed);
      this.#words[slot * ROW_WORDS + AT] = this.#arena.allocate(slot, size, known);
      this.#writeKey(slot, key, start, keyLength);
      this.#index.add(slot);
      this.#used++;
    }
    this.#words[slot * ROW_WORDS + LENGTH] = length;
    if (accessedAt !== undefined) this.#words[slot * ROW_WORDS + ACCESSED_AT] = accessedAt;
    if (item === undefined) {
      this.#bytes[slot * ROW_BYTES + STATE] = frequency | ABSENT_BIT;
      this.#absent++;
      this.#words[slot * ROW_WORDS + EXPIRES_AT] = 0;
      return true;
    }
    this.#words[slot * ROW_WORDS + FLAGS] = item.flags;
    this.#words[slot * ROW_WORDS + STORED_AT] = item.storedAt;
    this.#doubles[slot * ROW_DOUBLES] = item.cas;
    this.#bytes[slot * ROW_BYTES + STATE] = frequency | (item.bits << ITEM_BITS_AT);
    this.setExpiry(slot, item.expiresAt, item.ttlShift);
    const place = item.place;
    if (place !== undefined) this.setPlace(slot, place.segment, place.offset, place.size);
    if (item.value !== undefined) this.valueBuffer(slot).set(item.value, this.valueStart(slot));
    return true;
  }

  setExpiry(slot: number, expiresAt: number, ttlShift: number): void {
    this.#words[slot * ROW_WORDS + EXPIRES_AT] = expiresAt;
    this.#bytes[slot * ROW_BYTES + TTL_SHIFT] = ttlShift;
  }

  /** The item's own bits changed. */
  setBits(slot: number, bits: number): void {
    this.#bytes[slot * ROW_BYTES + STATE] = (this.#bytes[slot * ROW_BYTES + STATE]! & ((1 << ITEM_BITS_AT) - 1)) | (bits << ITEM_BITS_AT);
  }

  /** The item's value now lies elsewhere in the value log. */
  setPlace(slot: number, segment: number, offset: number, size: number): void {
    this.#bytes[slot * ROW_BYTES + STATE] = this.#bytes[slot * ROW_BYTES + STATE]! | OUT_OF_LINE_BIT;
    this.#words[slot * ROW_WORDS + PLACE_SEGMENT] = segment;
    this.#words[slot * ROW_WORDS + PLACE_OFFSET] = offset;
    this.#words[slot * ROW_WORDS + PLACE_SIZE] = size;
  }

  /** Forgets a key; nothing is known about it any more, but when it was asked for. */
  forget(hash: number, key: Uint8Array, start: number, end: number): void {
    const slot = this.find(hash, key, start, end);
    if (slot >= 0) this.#free(slot);
  }

  /** Forgets everything. */
  clear(): void {
    // What it has is older than what the rows had.
    this.access.clear();
    this.places.clear();
    this.#arena.clear();
    this.#index.clear();
    this.#freeSlot = NOWHERE;
    this.#neverUsed = 0;
    this.#used = 0;
    this.#absent = 0;
  }

  /**
   * Changes the bound on everything the tier allocates. It starts anew, empty, unless the bound is what it
   * was: to carry entries over would need both tiers in memory at once, or hold up clients.
   *
   * @throws RangeError when there is not so much memory; the tier is then as it was
   */
  resize(bytes: number): void {
    if (bytes === this.#limitBytes) return;
    const fresh = new RamTier(bytes, this.access);
    this.access.clear();
    this.places.use([]);
    fresh.#arena.belongTo(this);
    this.#limitBytes = fresh.#limitBytes;
    this.#slots = fresh.#slots;
    this.#entrySlots = fresh.#entrySlots;
    this.#arena = fresh.#arena;
    this.#index = fresh.#index;
    this.#ghosts = fresh.#ghosts;
    this.#words = fresh.#words;
    this.#doubles = fresh.#doubles;
    this.#bytes = fresh.#bytes;
    this.#freeSlot = NOWHERE;
    this.#neverUsed = 0;
    this.#used = 0;
    this.#absent = 0;
  }

  stats(): RamStats {
    return {
      limitBytes: this.#limitBytes,
      usedBytes: this.#arena.usedBytes + this.#placeBytes + this.#used * SLOT_BYTES,
      items: this.#used - this.#absent,
      absent: this.#absent,
      evictions: this.#evictions,
      placeBytes: this.#placeBytes,
    };
  }

  /** Arena callback: does this slot still live at this address? */
  livesAt(slot: number, address: number): boolean {
    return this.#words[slot * ROW_WORDS + AT] === address;
  }

  /** Arena callback: was this slot used since it was stored, or last survived? */
  isUsed(slot: number): boolean {
    return (this.#bytes[slot * ROW_BYTES + STATE]! & FREQUENCY_MASK) > 0;
  }

  /** Arena callback: shall this slot survive the eviction of its segment? Spends one use. */
  survives(slot: number, fromMain: boolean): boolean {
    const state = this.#bytes[slot * ROW_BYTES + STATE]!;
    if ((state & FREQUENCY_MASK) === 0) return false;
    this.#bytes[slot * ROW_BYTES + STATE] = fromMain ? state - 1 : state & ~FREQUENCY_MASK;
    return true;
  }

  /** Arena callback: the record of a surviving slot was copied. */
  moved(slot: number, address: number): void {
    this.#words[slot * ROW_WORDS + AT] = address;
  }

  /** Arena callback: the slot's record is gone. */
  evicted(slot: number, fromMain: boolean): void {
    if (!fromMain) this.#ghosts.add(this.#words[slot * ROW_WORDS + HASH]!, this.#arena.smallEvicted);
    if (!this.isAbsent(slot)) this.#evictions++;
    this.#words[slot * ROW_WORDS + AT] = NOWHERE;
    this.#free(slot);
  }

  get #placeBytes(): number {
    return (this.#slots - this.#entrySlots) * ROW_BYTES;
  }

  /** Slots that no entry is about to need. */
  get #spareSlots(): number {
    if (!this.#arena.enabled) return 0;
    return Math.max(0, this.#slots - Math.ceil(Math.max(this.#neverUsed * ROWS_PER_USED, this.#slots * ROWS_LEAST)));
  }

  /** The last so many slots hold places from now on. */
  #holdPlacesIn(slots: number): void {
    this.#entrySlots = this.#slots - slots;
    const parts: Uint32Array[] = [];
    const partWords = Math.max(BUCKET_WORDS, Math.min(PLACE_PART_BYTES / 4, slots * ROW_WORDS) & ~(BUCKET_WORDS - 1));
    let end = this.#words.length & ~(BUCKET_WORDS - 1);
    for (; end - partWords >= this.#entrySlots * ROW_WORDS; end -= partWords) parts.push(this.#words.subarray(end - partWords, end));
    this.places.use(parts);
  }

  #sameKey(slot: number, key: Uint8Array, start: number, length: number): boolean {
    const address = this.#words[slot * ROW_WORDS + AT]!;
    const bytes = this.#arena.buffer(address);
    const from = this.#arena.offset(address) + HEADER_BYTES;
    for (let i = 0; i < length; i++) if (bytes[from + i] !== key[start + i]) return false;
    return true;
  }

  #writeKey(slot: number, key: Uint8Array, start: number, length: number): void {
    const address = this.#words[slot * ROW_WORDS + AT]!;
    const bytes = this.#arena.buffer(address);
    const to = this.#arena.offset(address) + HEADER_BYTES;
    for (let i = 0; i < length; i++) bytes[to + i] = key[start + i]!;
  }

  #takeSlot(): number {
    if (this.#freeSlot === NOWHERE && this.#neverUsed === this.#entrySlots && this.#entrySlots < this.#slots) this.#holdPlacesIn(this.#spareSlots);
    while (this.#freeSlot === NOWHERE && this.#neverUsed === this.#slots) this.#arena.evict();
    if (this.#freeSlot === NOWHERE) return this.#neverUsed++;
    const slot = this.#freeSlot;
    this.#freeSlot = this.#words[slot * ROW_WORDS + LENGTH]!;
    return slot;
  }

  #free(slot: number): void {
    if (this.#words[slot * ROW_WORDS + AT] !== NOWHERE) this.#arena.discard(this.#words[slot * ROW_WORDS + AT]!);
    this.access.note(this.#words[slot * ROW_WORDS + HASH]!, this.#words[slot * ROW_WORDS + ACCESSED_AT]!);
    this.#index.remove(slot);
    this.#used--;
    if (this.isAbsent(slot)) this.#absent--;
    this.#bytes[slot * ROW_BYTES + STATE] = 0;
    this.#words[slot * ROW_WORDS + AT] = NOWHERE;
    this.#words[slot * ROW_WORDS + LENGTH] = this.#freeSlot;
    this.#freeSlot = slot;
  }
}
