import type { Place } from '../item.ts';

/** Entries of a bucket, which is a line of the processor's cache. */
const WAYS = 8;
/**
 * An entry is two words: segment from `#first` on (16 bits), tag (8), upper bits of the size (8); lower bits of the size (6), offset
 * (26). No size = no entry.
 */
const ENTRY_WORDS = 2;
export const PLACE_BYTES: number = ENTRY_WORDS * Uint32Array.BYTES_PER_ELEMENT;
/** 64 bytes. */
export const BUCKET_WORDS: number = WAYS * ENTRY_WORDS;
const SEGMENTS = 2 ** 16;
const SIZES = 2 ** 14;
const OFFSETS = 2 ** 26;
const LOW_SIZES = 2 ** 6;

/**
 * Where the records of keys lie whose values are on disk, in 8 bytes a key. Who knows that need not ask LevelDB: a get of 1 KB out of
 * 1.5 GB costs 20.9 instead of 30.1 µs (docs/architecture.md, "Places").
 *
 * Keys of a bucket are told apart by 8 bits of their hashes alone: whoever reads a record looks whether it is of the key. But a place
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
    const bucket = this.#bucketOf(hash);
    const words = this.#noted[this.#partOf(bucket)];
    if (words === undefined) return undefined;
    const at = find(words, this.#startOf(bucket), hash);
    if (at < 0) return undefined;
    const high = words[at]!;
    const low = words[at + 1]!;
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
    const bucket = this.#bucketOf(hash);
    const words = this.#cleared(this.#partOf(bucket));
    const start = this.#startOf(bucket);
    const known = find(words, start, hash);
    const at = known >= 0 ? known : this.#free(words, start);
    words[at] = (segment - this.#first) * 0x10000 + tagOf(hash) * 0x100 + Math.floor(size / LOW_SIZES);
    words[at + 1] = (size % LOW_SIZES) * OFFSETS + offset;
  }

  /** Forgets what is noted of a key. */
  forget(hash: number): void {
    const bucket = this.#bucketOf(hash);
    const words = this.#noted[this.#partOf(bucket)];
    if (words === undefined) return;
    const at = find(words, this.#startOf(bucket), hash);
    if (at < 0) return;
    words[at] = 0;
    words[at + 1] = 0;
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

  #partOf(bucket: number): number {
    return Math.floor(bucket / this.#bucketsOfPart);
  }

  /** Where a bucket begins in its part. */
  #startOf(bucket: number): number {
    return (bucket % this.#bucketsOfPart) * BUCKET_WORDS;
  }

  #cleared(part: number): Uint32Array {
    const noted = this.#noted[part];
    if (noted !== undefined) return noted;
    const words = this.#parts[part]!;
    words.fill(0);
    this.#noted[part] = words;
    return words;
  }

  /** An entry of a bucket for a key that has none there: a free one, or that of another key. */
  #free(words: Uint32Array, start: number): number {
    for (let at = start; at < start + BUCKET_WORDS; at += ENTRY_WORDS) if (!isTaken(words, at)) return at;
    this.#victim = (this.#victim + 1) % WAYS;
    return start + this.#victim * ENTRY_WORDS;
  }
}

/** Where the entry of a key is in the bucket that begins at `start`; -1 = there is none. */
function find(words: Uint32Array, start: number, hash: number): number {
  const tag = tagOf(hash);
  for (let at = start; at < start + BUCKET_WORDS; at += ENTRY_WORDS) {
    if (((words[at]! >>> 8) & 0xff) === tag && isTaken(words, at)) return at;
  }
  return -1;
}

/** No record has the size 0. */
function isTaken(words: Uint32Array, at: number): boolean {
  return (words[at]! & 0xff) !== 0 || words[at + 1]! >= OFFSETS;
}

/** The lowest bits: the highest choose the bucket. */
function tagOf(hash: number): number {
  return hash & 0xff;
}
