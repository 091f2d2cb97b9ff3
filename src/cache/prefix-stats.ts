/** Most prefixes that are counted; further ones are left out, so that hostile keys cannot fill the memory. */
const PREFIXES_MAX = 2 ** 16;

interface Counts {
  get: number;
  hit: number;
  set: number;
  del: number;
}

/**
 * Counts retrievals, stores and deletes by the part of the key before the first delimiter, when switched
 * on (protocol.txt, `stats detail`). Keys without one are not counted.
 */
export class PrefixStats {
  readonly #delimiter: number;
  #counts = new Map<string, Counts>();
  enabled = false;

  /** `delimiter` is one byte. */
  constructor(delimiter = ':') {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  countGet(bytes: Uint8Array, start: number, end: number, isHit: boolean): void {
    const counts = this.#of(bytes, start, end);
    if (counts === undefined) return;
    counts.get++;
    if (isHit) counts.hit++;
  }

  countSet(bytes: Uint8Array, start: number, end: number): void {
    const counts = this.#of(bytes, start, end);
    if (counts !== undefined) counts.set++;
  }

  countDelete(bytes: Uint8Array, start: number, end: number): void {
    const counts = this.#of(bytes, start, end);
    if (counts !== undefined) counts.del++;
  }

  /** The lines of `stats detail dump`, without END. */
  dump(): string {
    return [...this.#counts]
      .map(([prefix, { get, hit, set, del }]) => `PREFIX ${prefix} get ${get} hit ${hit} set ${set} del ${del}\r\n`)
      .join('');
  }

  clear(): void {
    this.#counts = new Map();
  }

  #of(bytes: Uint8Array, start: number, end: number): Counts | undefined {
    if (!this.enabled) return undefined;
    let at = start;
    while (at < end && bytes[at] !== this.#delimiter) at++;
    if (at === end) return undefined;
    const prefix = Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString('latin1');
    const known = this.#counts.get(prefix);
    if (known !== undefined) return known;
    if (this.#counts.size >= PREFIXES_MAX) return undefined;
    const counts = { get: 0, hit: 0, set: 0, del: 0 };
    this.#counts.set(prefix, counts);
    return counts;
  }
}
