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
  /** Bytes of the value. */
  readonly length: number;
  /** The value, or undefined when only what is known about it was loaded. */
  readonly value: Buffer | undefined;
  /** Where the value lies in the value log; undefined when it lies in the LevelDB row itself. */
  readonly place: Place | undefined;
}
