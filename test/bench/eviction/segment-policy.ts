import { itemBytes, type Policy } from './policy.ts';

/** Segments that a cache consists of, as DiskBudget divides a limit. */
const SEGMENTS = 64;

/** What can be chosen of eviction by segments. */
export interface SegmentChoice {
  /** Share of a segment's bytes that may be kept. */
  readonly keptShare: number;
  /** Reads are counted up to here. */
  readonly countMax: number;
  /**
   * What is kept goes to segments of its own, and the segments of what is new are asked first while they have this
   * share of all bytes or more. 1 = both share segments, and the oldest goes.
   */
  readonly newShare: number;
}

interface Place {
  readonly key: number;
  readonly bytes: number;
}

interface Segment {
  bytes: number;
  readonly items: Place[];
}

/** Segments, oldest first; the last is being filled. */
interface Queue {
  readonly segments: Segment[];
  bytes: number;
}

/**
 * What src/upkeep/evictor.ts does with values in segments, without a store: the oldest segment goes, and what was read of
 * it is copied to the end. Counters are exact here, and eviction begins and ends at once.
 */
export class SegmentPolicy implements Policy {
  copied = 0;
  readonly #choice: SegmentChoice;
  readonly #capacity: number;
  readonly #segmentBytes: number;
  readonly #new = newQueue();
  /** The same queue where both share segments. */
  readonly #kept: Queue;
  /** Where the newest value of each item is, and how often it was read. A count outlives its item, as in the sketch. */
  readonly #places = new Map<number, Place>();
  readonly #counts = new Map<number, number>();

  constructor(capacity: number, choice: SegmentChoice) {
    this.#capacity = capacity;
    this.#segmentBytes = capacity / SEGMENTS;
    this.#choice = choice;
    this.#kept = choice.newShare < 1 ? newQueue() : this.#new;
  }

  get #held(): number {
    return this.#kept === this.#new ? this.#new.bytes : this.#new.bytes + this.#kept.bytes;
  }

  get(key: number): boolean {
    if (!this.#places.has(key)) return false;
    this.#counts.set(key, Math.min(this.#choice.countMax, (this.#counts.get(key) ?? 0) + 1));
    return true;
  }

  set(key: number, valueBytes: number): void {
    this.#append(this.#new, key, itemBytes(valueBytes));
    while (this.#held > this.#capacity) this.#evict();
  }

  delete(key: number): void {
    this.#places.delete(key);
  }

  #append(queue: Queue, key: number, bytes: number): void {
    let segment = queue.segments.at(-1);
    if (segment === undefined || segment.bytes + bytes > this.#segmentBytes) {
      segment = { bytes: 0, items: [] };
      queue.segments.push(segment);
    }
    const place = { key, bytes };
    segment.items.push(place);
    segment.bytes += bytes;
    queue.bytes += bytes;
    this.#places.set(key, place);
  }

  #evict(): void {
    const isNew = this.#kept.segments.length === 0 || this.#new.bytes >= this.#choice.newShare * this.#held;
    const queue = isNew ? this.#new : this.#kept;
    const segment = queue.segments.shift()!;
    queue.bytes -= segment.bytes;
    let left = this.#choice.keptShare * segment.bytes;
    for (const place of segment.items) {
      const { key, bytes } = place;
      if (this.#places.get(key) !== place) continue;
      this.#places.delete(key);
      const count = this.#counts.get(key) ?? 0;
      if (count === 0 || bytes > left) continue;
      this.#counts.set(key, count - 1);
      left -= bytes;
      this.copied += bytes;
      this.#append(this.#kept, key, bytes);
    }
  }
}

function newQueue(): Queue {
  return { segments: [], bytes: 0 };
}
