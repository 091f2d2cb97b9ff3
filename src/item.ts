/**
 * A 64-bit unsigned number in canonical form: a `number` up to 2^53 - 1, a `bigint` above.
 * Two equal values are therefore always `===`.
 */
export type U64 = number | bigint;

/** Where the value log keeps a value: segment number, byte offset of its record, bytes of the record. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly size: number;
}

/** The item was invalidated: it is served as stale until it is stored anew. On disk: do not renumber. */
export const STALE = 1;
/** One client was told to store the item anew. On disk: do not renumber. */
export const WIN_SENT = 2;
/** The key was sent in base64, and is shown so. On disk: do not renumber. */
export const BASE64_KEY = 4;

/** What is known of one stored item. Immutable: a change makes a new one. */
export interface Item {
  /** The client's opaque 32 bits. */
  readonly flags: number;
  /** Unix seconds at which the item is gone; 0 = never. */
  readonly expiresAt: number;
  /** Unix seconds of the last store (set, incr, append …); touch and get leave it. */
  readonly storedAt: number;
  /** The cas unique. It also orders stores: a later store of any key has a higher one. */
  readonly cas: number;
  /** Log2 of the seconds that its TTL bucket spans (docs/storage-format.md); meaningless when expiresAt is 0. */
  readonly ttlShift: number;
  /** STALE, WIN_SENT, BASE64_KEY. */
  readonly bits: number;
  /** The cas unique that a client chose for it; undefined = `cas` itself. */
  readonly chosenCas: U64 | undefined;
  /** Bytes of the value. */
  readonly length: number;
  /** The value, or undefined when only what is known about it was loaded. */
  readonly value: Buffer | undefined;
  /** Where the value lies in the value log; undefined when it lies in the LevelDB row itself. */
  readonly place: Place | undefined;
}

/**
 * An item as hot paths make it: by a constructor, so that V8 sees one shape of items. Literals had maps that were given up when a
 * larger number came into a field (a cas unique that is no small integer), but went on to be made with them, and each item was
 * then moved to the newer map (`node --trace-migration` said so once per set): 4 % of the CPU of sets.
 */
export class BuiltItem<P extends Place | undefined> implements Item {
  declare readonly flags: number;
  declare readonly expiresAt: number;
  declare readonly storedAt: number;
  declare readonly cas: number;
  declare readonly ttlShift: number;
  declare readonly bits: number;
  declare readonly chosenCas: U64 | undefined;
  declare readonly length: number;
  declare readonly value: Buffer | undefined;
  declare readonly place: P;

  constructor(
    flags: number,
    expiresAt: number,
    storedAt: number,
    cas: number,
    ttlShift: number,
    bits: number,
    chosenCas: U64 | undefined,
    length: number,
    value: Buffer | undefined,
    place: P,
  ) {
    this.flags = flags;
    this.expiresAt = expiresAt;
    this.storedAt = storedAt;
    this.cas = cas;
    this.ttlShift = ttlShift;
    this.bits = bits;
    this.chosenCas = chosenCas;
    this.length = length;
    this.value = value;
    this.place = place;
  }
}

/** The cas unique that clients see. */
export function casOf(item: Item): U64 {
  return item.chosenCas ?? item.cas;
}

/**
 * The same whole number, not below 0, in V8's cheapest form. What is computed with doubles, or read from an array of them, is an object
 * of its own however small it is, and the first such cas unique would have each item afterwards have one (`node --trace-deopt`: all of a
 * set's functions are compiled anew).
 */
export function asSmall(n: number): number {
  return n <= 0x7fff_ffff ? n | 0 : n;
}
