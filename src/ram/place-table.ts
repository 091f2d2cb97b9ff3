import type { Place } from '../item.ts';

/** Entries of a bucket, which is a line of the processor's cache. */
const WAYS = 8;
/**
 * An entry is two words: segment from `#first` on (16 bits), tag (8), upper bits of the size (8); lower bits of the size (6), offset
 * (26). No size = no entry.
 */
const ENTRY_WORDS = 2;
const BUCKET_WORDS = WAYS * ENTRY_WORDS;
const SEGMENTS = 2 ** 16;
const SIZES = 2 ** 14;
const OFFSETS = 2 ** 26;
const LOW_SIZES = 2 ** 6;

/**
 * Where the records of keys lie whose values are on disk, in 8 bytes a key. Who knows that need not ask LevelDB: a get of 1 KB out of
 * 1.5 GB costs 20.9 instead of 30.1 µs (docs/architecture.md, "Places").
 *
 * Keys are told apart by some 25 bits of their hashes alone, or more: whoever reads a record looks whether it is of the key. But a place
 * that was noted for a key is never one that is not its any more, as long as each change of each key is noted, or forgotten.
 */
export class PlaceTable {
  readonly #words: Uint32Array;
  readonly #buckets: number;
  /** The first segment that has an entry. */
  #first = 0;
  /** Entry of its bucket that the next new key takes, when all are taken. */
  #victim = 0;
  /** Nothing was noted since it was made or cleared: at first none of its memory has been touched, and none need be. */
  #isEmpty = true;

  /** `bytes` is a bound on its memory. */
  constructor(bytes: number) {
    this.#buckets = Math.floor(bytes / (BUCKET_WORDS * Uint32Array.BYTES_PER_ELEMENT));
    this.#words = new Uint32Array(this.#buckets * BUCKET_WORDS);
  }

  /** Where the record of the key with this hash lies, or that of a key which looks the same here; undefined when it is not known. */
  find(hash: number): Place | undefined {
    const at = this.#find(hash);
    if (at < 0) return undefined;
    const high = this.#words[at]!;
    const low = this.#words[at + 1]!;
    return { segment: this.#first + (high >>> 16), offset: low % OFFSETS, size: (high & 0xff) * LOW_SIZES + (low >>> 26) };
  }

  /** Notes where the record of a key lies from now on. One that is large, or far from others, is not kept. */
  note(hash: number, { segment, offset, size }: Place): void {
    if (this.#buckets === 0) return;
    // After some TiB of records.
    if (segment >= this.#first + SEGMENTS) this.#moveTo(segment - SEGMENTS / 2);
    if (segment < this.#first || offset >= OFFSETS || size >= SIZES) {
      this.forget(hash);
      return;
    }
    this.#isEmpty = false;
    const at = this.#find(hash);
    const entry = at >= 0 ? at : this.#free(hash);
    this.#words[entry] = (segment - this.#first) * 0x10000 + tagOf(hash) * 0x100 + Math.floor(size / LOW_SIZES);
    this.#words[entry + 1] = (size % LOW_SIZES) * OFFSETS + offset;
  }

  /** Forgets what is noted of a key. */
  forget(hash: number): void {
    const at = this.#find(hash);
    if (at < 0) return;
    this.#words[at] = 0;
    this.#words[at + 1] = 0;
  }

  clear(): void {
    if (this.#isEmpty) return;
    this.#words.fill(0);
    this.#isEmpty = true;
  }

  #moveTo(first: number): void {
    this.clear();
    this.#first = first;
  }

  #bucket(hash: number): number {
    return Math.floor((hash / 2 ** 32) * this.#buckets) * BUCKET_WORDS;
  }

  /** Where the entry of a key is; -1 = nowhere. */
  #find(hash: number): number {
    if (this.#isEmpty) return -1;
    const words = this.#words;
    const bucket = this.#bucket(hash);
    const tag = tagOf(hash);
    for (let at = bucket; at < bucket + BUCKET_WORDS; at += ENTRY_WORDS) {
      if (((words[at]! >>> 8) & 0xff) === tag && isTaken(words, at)) return at;
    }
    return -1;
  }

  /** An entry for a key that has none: a free one of its bucket, or that of another key. */
  #free(hash: number): number {
    const bucket = this.#bucket(hash);
    for (let at = bucket; at < bucket + BUCKET_WORDS; at += ENTRY_WORDS) if (!isTaken(this.#words, at)) return at;
    this.#victim = (this.#victim + 1) % WAYS;
    return bucket + this.#victim * ENTRY_WORDS;
  }
}

/** No record has the size 0. */
function isTaken(words: Uint32Array, at: number): boolean {
  return (words[at]! & 0xff) !== 0 || words[at + 1]! >= OFFSETS;
}

/** The lowest bits: the highest choose the bucket. */
function tagOf(hash: number): number {
  return hash & 0xff;
}
