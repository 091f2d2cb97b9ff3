import type { Item } from '../item.ts';
import { Arena, HEADER_BYTES, NOWHERE, type Mover } from './arena.ts';

/** Bytes of the parallel arrays per slot. */
const COLUMN_BYTES = 4 * 9 + 8 + 3;
/** The same with a slot's usual share of the hash index and the ghost table. */
const SLOT_BYTES = COLUMN_BYTES + 4 * 2 + 4;
/**
 * Bytes of budget per slot. The number of slots follows from the budget, so that nothing is ever rehashed
 * while clients wait; items smaller than this on average run out of slots before they run out of arena.
 */
const BUDGET_PER_SLOT = 192;
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
}

/**
 * The RAM tier: the newest state of the keys used lately, present or known absent, in a fixed
 * amount of memory. S3-FIFO (Yang et al., SOSP 2023) over a log-structured arena: new entries go
 * to a small queue (a tenth of the arena); those that are used again move to the main queue when
 * their segment is evicted, the rest leave only a fingerprint in the ghost table, which sends them
 * straight to the main queue should they come back.
 *
 * An entry is a slot: a row of typed arrays for what is known and a record in the arena for the
 * bytes of key and value. There is no JavaScript object per item, so the garbage collector has
 * nothing to walk and the memory in use is what is counted.
 *
 * It is authoritative: what it holds is never older than what was stored. Slots and views are valid
 * only until the next call that may change the tier.
 */
export class RamTier implements Mover {
  #slots: number;
  #arena: Arena;
  #index: Uint32Array;
  #mask: number;
  #ghost: Uint32Array;
  #ghostMask: number;
  #hashes: Uint32Array;
  #at: Uint32Array;
  #lengths: Uint32Array;
  #flags: Uint32Array;
  #expiresAt: Uint32Array;
  #storedAt: Uint32Array;
  #placeSegment: Uint32Array;
  #placeOffset: Uint32Array;
  #placeSize: Uint32Array;
  #cas: Float64Array;
  #keyLengths: Uint8Array;
  #state: Uint8Array;
  #ttlShift: Uint8Array;
  #freeSlot = NOWHERE;
  #neverUsed = 0;
  #used = 0;
  #absent = 0;
  #evictions = 0;
  #limitBytes: number;

  /** `bytes` is a bound on everything the tier allocates; too few for four segments = an empty tier. */
  constructor(bytes: number) {
    this.#limitBytes = bytes;
    this.#slots = Math.max(16, Math.floor(bytes / BUDGET_PER_SLOT));
    // Powers of two may take more per slot than SLOT_BYTES counts: the arena has what is really left.
    const tableBytes = 4 * (bucketsFor(this.#slots) + ghostsFor(this.#slots));
    this.#arena = new Arena(bytes - this.#slots * COLUMN_BYTES - tableBytes, this);
    const capacity = this.#arena.enabled ? this.#slots : 0;
    const buckets = bucketsFor(capacity);
    this.#index = new Uint32Array(buckets);
    this.#mask = buckets - 1;
    const ghosts = ghostsFor(capacity);
    this.#ghost = new Uint32Array(ghosts);
    this.#ghostMask = ghosts - 1;
    this.#hashes = new Uint32Array(capacity);
    this.#at = new Uint32Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#flags = new Uint32Array(capacity);
    this.#expiresAt = new Uint32Array(capacity);
    this.#storedAt = new Uint32Array(capacity);
    this.#placeSegment = new Uint32Array(capacity);
    this.#placeOffset = new Uint32Array(capacity);
    this.#placeSize = new Uint32Array(capacity);
    this.#cas = new Float64Array(capacity);
    this.#keyLengths = new Uint8Array(capacity);
    this.#state = new Uint8Array(capacity);
    this.#ttlShift = new Uint8Array(capacity);
  }

  /** The slot of a key, or -1. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const index = this.#index;
    const mask = this.#mask;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const entry = index[i]!;
      if (entry === 0) return -1;
      const slot = entry - 1;
      if (this.#hashes[slot] === hash && this.#keyLengths[slot] === length && this.#sameKey(slot, key, start, length)) {
        return slot;
      }
    }
  }

  /** Counts a use: what is used outlives what is not. */
  touched(slot: number): void {
    const state = this.#state[slot]!;
    if ((state & FREQUENCY_MASK) < MAX_FREQUENCY) this.#state[slot] = state + 1;
  }

  isAbsent(slot: number): boolean {
    return (this.#state[slot]! & ABSENT_BIT) !== 0;
  }

  flags(slot: number): number {
    return this.#flags[slot]!;
  }

  expiresAt(slot: number): number {
    return this.#expiresAt[slot]!;
  }

  cas(slot: number): number {
    return this.#cas[slot]!;
  }

  length(slot: number): number {
    return this.#lengths[slot]!;
  }

  /** The buffer in which the value lies, from `valueStart(slot)` for `length(slot)` bytes. */
  valueBuffer(slot: number): Buffer {
    return this.#arena.buffer(this.#at[slot]!);
  }

  valueStart(slot: number): number {
    return this.#arena.offset(this.#at[slot]!) + HEADER_BYTES + this.#keyLengths[slot]!;
  }

  /**
   * The item in a slot that is not absent; its value is a view, valid until the tier changes. Without it where
   * `withValue` is false: a view costs as much as all the rest.
   */
  item(slot: number, withValue = true): Item {
    const length = this.#lengths[slot]!;
    let value: Buffer | undefined;
    if (withValue) {
      const start = this.valueStart(slot);
      value = this.valueBuffer(slot).subarray(start, start + length);
    }
    return {
      flags: this.#flags[slot]!,
      expiresAt: this.#expiresAt[slot]!,
      storedAt: this.#storedAt[slot]!,
      cas: this.#cas[slot]!,
      ttlShift: this.#ttlShift[slot]!,
      bits: this.#state[slot]! >> ITEM_BITS_AT,
      chosenCas: undefined,
      length,
      value,
      place:
        (this.#state[slot]! & OUT_OF_LINE_BIT) !== 0
          ? { segment: this.#placeSegment[slot]!, offset: this.#placeOffset[slot]!, size: this.#placeSize[slot]! }
          : undefined,
    };
  }

  /**
   * Remembers the newest state of a key: an item with its value, or undefined for absent. Returns
   * false, and forgets the key, when it is too large to be kept.
   */
  put(hash: number, key: Uint8Array, start: number, end: number, item: Item | undefined): boolean {
    const keyLength = end - start;
    const length = item === undefined ? 0 : item.length;
    const size = this.#arena.sizeOf(keyLength + length);
    let slot = this.find(hash, key, start, end);
    if (!this.#arena.fits(size) || (item !== undefined && (item.value === undefined || item.chosenCas !== undefined))) {
      if (slot >= 0) this.#free(slot);
      return false;
    }
    let frequency = 0;
    if (slot >= 0) {
      frequency = Math.min(MAX_FREQUENCY, (this.#state[slot]! & FREQUENCY_MASK) + 1);
      if (this.isAbsent(slot)) this.#absent--;
      if (this.#arena.capacity(this.#at[slot]!) < size) {
        // Unhooked before allocating: an eviction on the way must not find and free this slot.
        this.#arena.discard(this.#at[slot]!);
        this.#at[slot] = NOWHERE;
        this.#at[slot] = this.#arena.allocate(slot, size, false);
        this.#writeKey(slot, key, start, keyLength);
      }
    } else {
      slot = this.#takeSlot();
      this.#at[slot] = NOWHERE;
      this.#hashes[slot] = hash;
      this.#keyLengths[slot] = keyLength;
      const cell = hash & this.#ghostMask;
      const known = this.#ghost[cell] === hash;
      if (known) this.#ghost[cell] = 0;
      this.#at[slot] = this.#arena.allocate(slot, size, known);
      this.#writeKey(slot, key, start, keyLength);
      this.#link(slot, hash);
      this.#used++;
    }
    this.#lengths[slot] = length;
    if (item === undefined) {
      this.#state[slot] = frequency | ABSENT_BIT;
      this.#absent++;
      this.#expiresAt[slot] = 0;
      return true;
    }
    this.#flags[slot] = item.flags;
    this.#storedAt[slot] = item.storedAt;
    this.#cas[slot] = item.cas;
    this.#state[slot] = frequency | (item.bits << ITEM_BITS_AT);
    this.setExpiry(slot, item.expiresAt, item.ttlShift);
    const place = item.place;
    if (place !== undefined) this.setPlace(slot, place.segment, place.offset, place.size);
    if (item.value !== undefined) this.valueBuffer(slot).set(item.value, this.valueStart(slot));
    return true;
  }

  setExpiry(slot: number, expiresAt: number, ttlShift: number): void {
    this.#expiresAt[slot] = expiresAt;
    this.#ttlShift[slot] = ttlShift;
  }

  /** The item's own bits changed. */
  setBits(slot: number, bits: number): void {
    this.#state[slot] = (this.#state[slot]! & ((1 << ITEM_BITS_AT) - 1)) | (bits << ITEM_BITS_AT);
  }

  /** The item's value now lies elsewhere in the value log. */
  setPlace(slot: number, segment: number, offset: number, size: number): void {
    this.#state[slot] = this.#state[slot]! | OUT_OF_LINE_BIT;
    this.#placeSegment[slot] = segment;
    this.#placeOffset[slot] = offset;
    this.#placeSize[slot] = size;
  }

  /** Forgets a key; nothing is known about it any more. */
  forget(hash: number, key: Uint8Array, start: number, end: number): void {
    const slot = this.find(hash, key, start, end);
    if (slot >= 0) this.#free(slot);
  }

  /** Forgets everything. */
  clear(): void {
    this.#arena.clear();
    this.#index.fill(0);
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
    const fresh = new RamTier(bytes);
    fresh.#arena.belongTo(this);
    this.#limitBytes = fresh.#limitBytes;
    this.#slots = fresh.#slots;
    this.#arena = fresh.#arena;
    this.#index = fresh.#index;
    this.#mask = fresh.#mask;
    this.#ghost = fresh.#ghost;
    this.#ghostMask = fresh.#ghostMask;
    this.#hashes = fresh.#hashes;
    this.#at = fresh.#at;
    this.#lengths = fresh.#lengths;
    this.#flags = fresh.#flags;
    this.#expiresAt = fresh.#expiresAt;
    this.#storedAt = fresh.#storedAt;
    this.#placeSegment = fresh.#placeSegment;
    this.#placeOffset = fresh.#placeOffset;
    this.#placeSize = fresh.#placeSize;
    this.#cas = fresh.#cas;
    this.#keyLengths = fresh.#keyLengths;
    this.#state = fresh.#state;
    this.#ttlShift = fresh.#ttlShift;
    this.#freeSlot = NOWHERE;
    this.#neverUsed = 0;
    this.#used = 0;
    this.#absent = 0;
  }

  stats(): RamStats {
    return {
      limitBytes: this.#limitBytes,
      usedBytes: this.#arena.usedBytes + this.#used * SLOT_BYTES,
      items: this.#used - this.#absent,
      absent: this.#absent,
      evictions: this.#evictions,
    };
  }

  /** Arena callback: does this slot still live at this address? */
  livesAt(slot: number, address: number): boolean {
    return this.#at[slot] === address;
  }

  /** Arena callback: shall this slot survive the eviction of its segment? Spends one use. */
  survives(slot: number, fromMain: boolean): boolean {
    const state = this.#state[slot]!;
    if ((state & FREQUENCY_MASK) === 0) return false;
    this.#state[slot] = fromMain ? state - 1 : state & ~FREQUENCY_MASK;
    return true;
  }

  /** Arena callback: the record of a surviving slot was copied. */
  moved(slot: number, address: number): void {
    this.#at[slot] = address;
  }

  /** Arena callback: the slot's record is gone. */
  evicted(slot: number): void {
    const hash = this.#hashes[slot]!;
    this.#ghost[hash & this.#ghostMask] = hash;
    if (!this.isAbsent(slot)) this.#evictions++;
    this.#at[slot] = NOWHERE;
    this.#free(slot);
  }

  #sameKey(slot: number, key: Uint8Array, start: number, length: number): boolean {
    const address = this.#at[slot]!;
    const bytes = this.#arena.buffer(address);
    const from = this.#arena.offset(address) + HEADER_BYTES;
    for (let i = 0; i < length; i++) if (bytes[from + i] !== key[start + i]) return false;
    return true;
  }

  #writeKey(slot: number, key: Uint8Array, start: number, length: number): void {
    const address = this.#at[slot]!;
    const bytes = this.#arena.buffer(address);
    const to = this.#arena.offset(address) + HEADER_BYTES;
    for (let i = 0; i < length; i++) bytes[to + i] = key[start + i]!;
  }

  #takeSlot(): number {
    while (this.#freeSlot === NOWHERE && this.#neverUsed === this.#slots) this.#arena.evict();
    if (this.#freeSlot === NOWHERE) return this.#neverUsed++;
    const slot = this.#freeSlot;
    this.#freeSlot = this.#lengths[slot]!;
    return slot;
  }

  #link(slot: number, hash: number): void {
    const index = this.#index;
    let i = hash & this.#mask;
    while (index[i] !== 0) i = (i + 1) & this.#mask;
    index[i] = slot + 1;
  }

  #free(slot: number): void {
    if (this.#at[slot] !== NOWHERE) this.#arena.discard(this.#at[slot]!);
    this.#unlink(slot);
    this.#used--;
    if (this.isAbsent(slot)) this.#absent--;
    this.#state[slot] = 0;
    this.#at[slot] = NOWHERE;
    this.#lengths[slot] = this.#freeSlot;
    this.#freeSlot = slot;
  }

  /** Deletes from the open-addressing index by shifting back what would no longer be found. */
  #unlink(slot: number): void {
    const index = this.#index;
    const mask = this.#mask;
    let hole = this.#hashes[slot]! & mask;
    while (index[hole] !== slot + 1) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; index[i] !== 0; i = (i + 1) & mask) {
      const home = this.#hashes[index[i]! - 1]! & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        index[hole] = index[i]!;
        hole = i;
      }
    }
    index[hole] = 0;
  }
}

/** Cells of the hash index: at most three quarters of them are used. */
function bucketsFor(slots: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, slots * 1.34)));
}

/** Cells of the ghost table. */
function ghostsFor(slots: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(16, slots)));
}
