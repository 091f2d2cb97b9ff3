import type { Place } from '../item.ts';

/** Entries of a bucket, which is a line of the processor's cache. */
const WAYS = 8;
/**
 * An entry is two words: segment from `#first` on (14 bits), tag (10), upper bits of the size (8); lower bits of the size (6), offset
 * (26). No size = no entry.
 */
const ENTRY_WORDS = 2;
/** 64 bytes. */
export const BUCKET_WORDS: number = WAYS * ENTRY_WORDS;
const SEGMENTS = 2 ** 14;
const TAGS = 2 ** 10;
const SIZES = 2 ** 14;
const OFFSETS = 2 ** 26;
const LOW_SIZES = 2 ** 6;
/** Odd, and about the golden ratio of 2^32: multiples of it are spread evenly. */
const SPREAD = 0x9e3779b1;

/**
 * Where the records of keys lie whose values are on disk, in 8 bytes a key. Who knows that need not ask LevelDB: a get of 1 KB out of
 * 1.5 GB costs 20.9 instead of 30.1 µs (docs/architecture.md, "Places").
 *
 * A key has two buckets, so that hardly one finds no room before nearly all is taken: an entry that is in the way goes to its other
 * one, which its tag tells (cuckoo filter: Fan et al., CoNEXT 2014). Where there is room for 120, less than one of 100 is lost
 * (test/ram/place-table.test.ts).
 *
 * Keys of a bucket are told apart by 10 bits of their hashes alone: whoever reads a record looks whether it is of the key. But a place
 * that was noted for a key is never one that is not its any more, as long as each change of each key is noted, or forgotten.
 */
export class PlaceTable {
  /** The memory in parts of one size. */
  #parts: readonly Uint32Array[] = [];
  /** The same parts; those are missing in which nothing was noted since all was forgotten. What they hold counts for nothing. */
  #noted: (Uint32Array | undefined)[] = [];
  #buckets = 0;
  #bucketsOfPart = 1;
  /** The first segment that has an entry. */
  #first = 0;
  /** Where in its part the entry is that was found last: what `#seek` and `#free` tell beside the part, without an object for both. */
  #at = 0;
  /** Entry of its bucket that the next new key takes, when all are taken. */
  #victim = 0;

  /** Keys for which there is room, if they spread evenly. */
  get capacity(): number {
    return this.#buckets * WAYS;
  }

  /** Forgets all, and lives in this memory from now on, whatever is in it: parts of one size, which is a multiple of 64 bytes. */
  use(parts: readonly Uint32Array[]): void {
    this.#parts = parts;
    this.#bucketsOfPart = Math.max(1, Math.floor((parts[0]?.length ?? 0) / BUCKET_WORDS));
    this.#buckets = parts.length * this.#bucketsOfPart;
    this.clear();
  }

  /** Where the record of the key with this hash lies, or that of a key which looks the same here; undefined when it is not known. */
  find(hash: number): Place | undefined {
    const words = this.#seek(hash);
    if (words === undefined) return undefined;
    const high = words[this.#at]!;
    const low = words[this.#at + 1]!;
    return { segment: this.#first + (high >>> 18), offset: low % OFFSETS, size: (high & 0xff) * LOW_SIZES + (low >>> 26) };
  }

  /** Notes where the record of a key lies from now on. One that is large, or far from others, is not kept. */
  note(hash: number, { segment, offset, size }: Place): void {
    if (this.#buckets === 0) return;
    // After a TiB of records.
    if (segment >= this.#first + SEGMENTS) this.#moveTo(segment - SEGMENTS / 2);
    if (segment < this.#first || offset >= OFFSETS || size >= SIZES) {
      this.forget(hash);
      return;
    }
    const words = this.#seek(hash) ?? this.#free(hash);
    words[this.#at] = (segment - this.#first) * 0x40000 + tagOf(hash) * 0x100 + Math.floor(size / LOW_SIZES);
    words[this.#at + 1] = (size % LOW_SIZES) * OFFSETS + offset;
  }

  /** Forgets what is noted of a key. */
  forget(hash: number): void {
    const words = this.#seek(hash);
    if (words === undefined) return;
    words[this.#at] = 0;
    words[this.#at + 1] = 0;
  }

  /** Forgets all, at once however much it is: a part is emptied when something is noted in it. */
  clear(): void {
    this.#noted = Array.from({ length: this.#parts.length });
  }

  #moveTo(first: number): void {
    this.clear();
    this.#first = first;
  }

  #bucketOf(hash: number): number {
    return Math.floor((hash / 2 ** 32) * this.#buckets);
  }

  /** The other bucket of all keys with this tag that have one here: of that one it is this one. */
  #otherOf(bucket: number, tag: number): number {
    const other = Math.floor(((Math.imul(tag, SPREAD) >>> 0) / 2 ** 32) * this.#buckets) - bucket;
    return other < 0 ? other + this.#buckets : other;
  }

  /** The part in which the entry of a key is, at `#at`; undefined = there is none. */
  #seek(hash: number): Uint32Array | undefined {
    if (this.#buckets === 0) return undefined;
    const tag = tagOf(hash);
    const bucket = this.#bucketOf(hash);
    return this.#seekIn(bucket, tag) ?? this.#seekIn(this.#otherOf(bucket, tag), tag);
  }

  #seekIn(bucket: number, tag: number): Uint32Array | undefined {
    const words = this.#noted[this.#partOf(bucket)];
    if (words === undefined) return undefined;
    const start = this.#startOf(bucket);
    for (let at = start; at < start + BUCKET_WORDS; at += ENTRY_WORDS) {
      if (tagAt(words, at) === tag && isTaken(words, at)) {
        this.#at = at;
        return words;
      }
    }
    return undefined;
  }

  #partOf(bucket: number): number {
    return Math.floor(bucket / this.#bucketsOfPart);
  }

  /** Where a bucket begins in its part. */
  #startOf(bucket: number): number {
    return (bucket % this.#bucketsOfPart) * BUCKET_WORDS;
  }

  #cleared(bucket: number): Uint32Array {
    const part = this.#partOf(bucket);
    const noted = this.#noted[part];
    if (noted !== undefined) return noted;
    const words = this.#parts[part]!;
    words.fill(0);
    this.#noted[part] = words;
    return words;
  }

  /** The part, and `#at`, of an entry for a key that has none: a free one of its buckets, or that of another key. */
  #free(hash: number): Uint32Array {
    const bucket = this.#bucketOf(hash);
    const words = this.#freeIn(bucket) ?? this.#freeIn(this.#otherOf(bucket, tagOf(hash)));
    if (words !== undefined) return words;
    // Another one goes to its other bucket, if there is room.
    const crowded = this.#cleared(bucket);
    const start = this.#startOf(bucket);
    for (let at = start; at < start + BUCKET_WORDS; at += ENTRY_WORDS) {
      const there = this.#freeIn(this.#otherOf(bucket, tagAt(crowded, at)));
      if (there === undefined) continue;
      there[this.#at] = crowded[at]!;
      there[this.#at + 1] = crowded[at + 1]!;
      this.#at = at;
      return crowded;
    }
    this.#victim = (this.#victim + 1) % WAYS;
    this.#at = start + this.#victim * ENTRY_WORDS;
    return crowded;
  }

  #freeIn(bucket: number): Uint32Array | undefined {
    const words = this.#cleared(bucket);
    const start = this.#startOf(bucket);
    for (let at = start; at < start + BUCKET_WORDS; at += ENTRY_WORDS) {
      if (isTaken(words, at)) continue;
      this.#at = at;
      return words;
    }
    return undefined;
  }
}

/** No record has the size 0. */
function isTaken(words: Uint32Array, at: number): boolean {
  return (words[at]! & 0xff) !== 0 || words[at + 1]! >= OFFSETS;
}

/** The lowest bits: the highest choose the bucket. */
function tagOf(hash: number): number {
  return hash % TAGS;
}

function tagAt(words: Uint32Array, at: number): number {
  return (words[at]! >>> 8) % TAGS;
}
