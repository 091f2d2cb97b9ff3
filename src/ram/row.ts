/*
 * What the RAM tier knows of an entry is a row of 56 bytes, so that it takes one or two cache lines: a lookup reads most of it, and
 * an array for each field missed the cache once per field (200,000 items of 1 KB at random: lookup with the copy of the
 * value 1.43 instead of 1.59 us, put 1.66 instead of 1.92; rows of 64 bytes, one line each, gained nothing more).
 *
 *     cas(f64) hash at length flags expiresAt storedAt placeSegment placeOffset placeSize next accessedAt (u32 each)
 *     keyLength state ttlShift (u8 each) -
 */
export const ROW_BYTES = 56;
export const ROW_WORDS: number = ROW_BYTES / 4;
export const ROW_DOUBLES: number = ROW_BYTES / 8;
export const HASH = 2;
export const AT = 3;
export const LENGTH = 4;
export const FLAGS = 5;
export const EXPIRES_AT = 6;
export const STORED_AT = 7;
export const PLACE_SEGMENT = 8;
export const PLACE_OFFSET = 9;
export const PLACE_SIZE = 10;
/** The next slot in the bucket of the index, plus 1; 0 = none. */
export const NEXT = 11;
/** Unix seconds when the key was last asked for; 0 = never. */
export const ACCESSED_AT = 12;
export const KEY_LENGTH = 52;
export const STATE = 53;
export const TTL_SHIFT = 54;
