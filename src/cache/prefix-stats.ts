import type { QuotaStats } from './quota-counts.ts';

/** Most prefixes that are counted; further ones are left out, so that hostile keys cannot fill the memory. */
const PREFIXES_MAX = 2 ** 16;

/** Lines of a dump that are made in one go. */
const LINES_AT_ONCE = 2048;

/** Prefixes among which the most used are looked for in one go: with those kept so far they are sorted in 2 ms. */
const PICKED_AT_ONCE = 2048;

interface Counts {
  get: number;
  hit: number;
  set: number;
  del: number;
  /** Not told by `stats detail`. */
  evictions: number;
}

/** What was seen under a prefix: `stats prefixes`. */
export interface SeenPrefix {
  /** A latin1 string, without the delimiter. */
  readonly prefix: string;
  readonly gets: number;
  readonly hits: number;
  readonly sets: number;
  readonly evictions: number;
}

/**
 * Counts retrievals, stores and deletes by the part of the key before the first delimiter, when switched
 * on (protocol.txt, `stats detail`). Keys without one are not counted. Prefixes with quotas are counted always, and apart.
 */
export class PrefixStats {
  readonly #delimiter: number;
  #counts = new Map<string, Counts>();
  #isEnabled = false;
  #quotas: QuotaStats | undefined;
  /** True while anything is counted: what is asked before each of the calls below. */
  isCounting = false;

  /** `delimiter` is one byte. */
  constructor(delimiter = ':') {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /** Whether prefixes are counted by the delimiter. */
  get enabled(): boolean {
    return this.#isEnabled;
  }

  set enabled(isEnabled: boolean) {
    this.#isEnabled = isEnabled;
    this.isCounting = isEnabled || this.#quotas !== undefined;
  }

  /** Undefined while no prefix has a quota. */
  get quotas(): QuotaStats | undefined {
    return this.#quotas;
  }

  set quotas(quotas: QuotaStats | undefined) {
    this.#quotas = quotas;
    this.isCounting = this.#isEnabled || quotas !== undefined;
  }

  countGet(bytes: Buffer, start: number, end: number, isHit: boolean): void {
    this.#quotas?.countGet(bytes, start, end, isHit);
    const counts = this.#of(bytes, start, end);
    if (counts === undefined) return;
    counts.get++;
    if (isHit) counts.hit++;
  }

  countSet(bytes: Buffer, start: number, end: number): void {
    this.#quotas?.countSet(bytes, start, end);
    const counts = this.#of(bytes, start, end);
    if (counts !== undefined) counts.set++;
  }

  countDelete(bytes: Buffer, start: number, end: number): void {
    const counts = this.#of(bytes, start, end);
    if (counts !== undefined) counts.del++;
  }

  /** An item was evicted, for whatever limit. `key` is a latin1 string. */
  countEviction(key: string): void {
    this.#quotas?.countEviction(key);
    if (!this.#isEnabled) return;
    const bytes = Buffer.from(key, 'latin1');
    const counts = this.#of(bytes, 0, bytes.length);
    if (counts !== undefined) counts.evictions++;
  }

  /**
   * Returns the prefixes seen by the delimiter that most was done under, `limit` at most, and how many there are. They
   * are picked in steps, with an empty text between two; what is counted meanwhile may be in them.
   */
  *seen(limit: number): Generator<'', { readonly shown: readonly SeenPrefix[]; readonly total: number }, undefined> {
    let shown: SeenPrefix[] = [];
    let total = 0;
    for (const [prefix, { get, hit, set, evictions }] of this.#counts) {
      shown.push({ prefix, gets: get, hits: hit, sets: set, evictions });
      if (++total % PICKED_AT_ONCE > 0) continue;
      shown = mostUsed(shown, limit);
      yield '';
    }
    return { shown: mostUsed(shown, limit), total };
  }

  /** The lines of `stats detail dump`, without END, some at a time. What is counted meanwhile may be in them. */
  *dump(): Generator<string, void, undefined> {
    let lines: string[] = [];
    for (const [prefix, { get, hit, set, del }] of this.#counts) {
      lines.push(`PREFIX ${prefix} get ${get} hit ${hit} set ${set} del ${del}\r\n`);
      if (lines.length < LINES_AT_ONCE) continue;
      yield lines.join('');
      lines = [];
    }
    yield lines.join('');
  }

  clear(): void {
    this.#counts = new Map();
    this.#quotas?.clear();
  }

  #of(bytes: Buffer, start: number, end: number): Counts | undefined {
    if (!this.#isEnabled) return undefined;
    let at = start;
    while (at < end && bytes[at] !== this.#delimiter) at++;
    if (at === end) return undefined;
    const prefix = Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString('latin1');
    const known = this.#counts.get(prefix);
    if (known !== undefined) return known;
    if (this.#counts.size >= PREFIXES_MAX) return undefined;
    const counts = { get: 0, hit: 0, set: 0, del: 0, evictions: 0 };
    this.#counts.set(prefix, counts);
    return counts;
  }
}

function mostUsed(prefixes: readonly SeenPrefix[], limit: number): SeenPrefix[] {
  return prefixes.toSorted((a, b) => b.gets + b.sets - a.gets - a.sets || (a.prefix < b.prefix ? -1 : 1)).slice(0, limit);
}
