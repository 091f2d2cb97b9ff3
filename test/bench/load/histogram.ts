/** log2 of the buckets per octave: 32 keep every reading within 1.6 % of the truth, at 7 KB per histogram. */
const SUB_BITS = 5;
const SUB_COUNT = 1 << SUB_BITS;
const LARGEST = 2 ** 32 - 1;
const BUCKETS = (32 - SUB_BITS + 1) << SUB_BITS;

/** Counts durations in buckets that grow with the duration. Durations over 4.29 s count as 4.29 s. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  /** How many durations were recorded. */
  get total(): number {
    return this.#total;
  }

  /** Counts one duration of `nanoseconds`; a negative one counts as 0. */
  record(nanoseconds: number): void {
    const bucket = bucketOf(Math.min(LARGEST, Math.max(0, Math.round(nanoseconds))));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** The buckets that are not empty, with their counts; `add` takes them. */
  counts(): [bucket: number, count: number][] {
    return [...this.#counts.entries()].filter(([, count]) => count > 0);
  }

  /** Counts all durations of another histogram too. */
  add(counts: readonly (readonly [bucket: number, count: number])[]): void {
    for (const [bucket, count] of counts) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#total += count;
    }
  }

  /** The duration in nanoseconds that a `share` (0 to 1) of the recorded ones do not exceed; 0 when there are none. */
  percentile(share: number): number {
    if (this.#total === 0) return 0;
    const rank = Math.min(this.#total, Math.max(1, Math.ceil(this.#total * share)));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return middleOf(bucket);
    }
    return LARGEST;
  }
}

function bucketOf(value: number): number {
  if (value < SUB_COUNT) return value;
  const octave = 31 - Math.clz32(value) - SUB_BITS;
  return ((octave + 1) << SUB_BITS) + (value >>> octave) - SUB_COUNT;
}

function middleOf(bucket: number): number {
  if (bucket < SUB_COUNT) return bucket;
  const width = 2 ** ((bucket >> SUB_BITS) - 1);
  return ((bucket & (SUB_COUNT - 1)) + SUB_COUNT + 0.5) * width;
}
