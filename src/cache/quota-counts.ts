import type { CountedPrefix, CountedPrefixes } from '../store/counted-prefixes.ts';

/** What was done under a prefix with a quota, since the start or `stats reset`. */
export interface QuotaCounts {
  gets: number;
  hits: number;
  sets: number;
  evictions: number;
  /** Stores refused for want of room, below the quota or below the limit on disk. */
  refused: number;
}

/** Counts by prefixes with quotas. Where they lie within each other, each counts. */
export class QuotaStats {
  readonly #prefixes: CountedPrefixes;
  readonly #counts = new Map<CountedPrefix, QuotaCounts>();

  constructor(prefixes: CountedPrefixes) {
    this.#prefixes = prefixes;
    this.clear();
  }

  countGet(bytes: Buffer, start: number, end: number, isHit: boolean): void {
    for (let at = this.#prefixes.findIn(bytes, start, end); at !== undefined; at = at.parent) {
      const counts = this.#counts.get(at)!;
      counts.gets++;
      if (isHit) counts.hits++;
    }
  }

  countSet(bytes: Buffer, start: number, end: number): void {
    for (let at = this.#prefixes.findIn(bytes, start, end); at !== undefined; at = at.parent) this.#counts.get(at)!.sets++;
  }

  countRefused(bytes: Buffer, start: number, end: number): void {
    for (let at = this.#prefixes.findIn(bytes, start, end); at !== undefined; at = at.parent) this.#counts.get(at)!.refused++;
  }

  /** `key` is a latin1 string. */
  countEviction(key: string): void {
    for (let at = this.#prefixes.find(key); at !== undefined; at = at.parent) this.#counts.get(at)!.evictions++;
  }

  of(prefix: CountedPrefix): Readonly<QuotaCounts> {
    return this.#counts.get(prefix)!;
  }

  clear(): void {
    for (const prefix of this.#prefixes.all) this.#counts.set(prefix, { gets: 0, hits: 0, sets: 0, evictions: 0, refused: 0 });
  }
}
