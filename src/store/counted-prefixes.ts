import { encodeQuota, quotaKey, type QuotaRow } from './quota-row.ts';

/** A prefix whose items are counted. */
export interface CountedPrefix {
  /** A latin1 string. */
  readonly prefix: string;
  /** The longest other counted prefix that this one begins with. */
  readonly parent: CountedPrefix | undefined;
  /** Items under it as of everything staged, and bytes of their keys and values. While not `isCounted`: no more than there are. */
  readonly items: number;
  readonly bytes: number;
  /** False until what was there before it was counted has been counted too. */
  readonly isCounted: boolean;
  /** The key that eviction has come to, and the cas unique at which its lap began. */
  readonly hand: string | undefined;
  readonly handCas: number;
}

interface Entry extends CountedPrefix {
  parent: Entry | undefined;
  items: number;
  bytes: number;
  isCounted: boolean;
  hand: string | undefined;
  handCas: number;
  isDirty: boolean;
}

/**
 * Counts items under some prefixes. Prefixes may lie within each other: an item counts under each that its key begins
 * with.
 *
 * A change costs 60 ns of CPU with one prefix, 105 ns with 1,000, 220 ns with 10,000, and 6 ns where no prefix begins with
 * the key's first byte; finding a key in a range of bytes 85 to 150 ns more, and 5 ns (Node 20.20.2, keys of 15 to 20
 * bytes, 2026-11-21). A touch costs nothing.
 */
export class CountedPrefixes {
  /** In order of their bytes. */
  readonly #sorted: readonly Entry[];
  /** Where in it those that begin with a byte begin; the next byte's place is their end. */
  readonly #starts = new Uint32Array(257);
  #dirty: Entry[] = [];
  #generation = 0;

  /** REQUIRES: no prefix is empty or there twice. */
  constructor(prefixes: Iterable<string>) {
    const sorted: Entry[] = [];
    // Strings of bytes compare as the bytes do.
    for (const prefix of [...prefixes].toSorted((a, b) => (a < b ? -1 : 1))) {
      let parent = sorted.at(-1);
      while (parent !== undefined && !prefix.startsWith(parent.prefix)) parent = parent.parent;
      sorted.push({ prefix, parent, items: 0, bytes: 0, isCounted: false, hand: undefined, handCas: 0, isDirty: false });
    }
    this.#sorted = sorted;
    for (let byte = 0, at = 0; byte <= 256; byte++) {
      while (at < sorted.length && sorted[at]!.prefix.charCodeAt(0) < byte) at++;
      this.#starts[byte] = at;
    }
  }

  /** All, in order of their bytes. */
  get all(): readonly CountedPrefix[] {
    return this.#sorted;
  }

  /** Changes when everything was read from disk anew, and counts under way mean nothing any more. */
  get generation(): number {
    return this.#generation;
  }

  /** The longest prefix that a key (latin1) begins with; the others are its parents. */
  find(key: string): CountedPrefix | undefined {
    return this.#find(key);
  }

  /** The same for a key in a range of bytes. */
  findIn(bytes: Buffer, start: number, end: number): CountedPrefix | undefined {
    const first = bytes[start]!;
    if (start === end || this.#starts[first] === this.#starts[first + 1]) return undefined;
    return this.#find(bytes.toString('latin1', start, end));
  }

  /** A key got so many items (-1, 0 or 1) and bytes more. */
  change(key: string, items: number, bytes: number): void {
    if (items === 0 && bytes === 0) return;
    for (let entry = this.#find(key); entry !== undefined; entry = entry.parent) {
      entry.items += items;
      entry.bytes += bytes;
      this.#touch(entry);
    }
  }

  /** Begins the counts that are not whole yet at nothing: what is stored now is about to be added by `add`. */
  restart(): void {
    for (const entry of this.#sorted) {
      if (entry.isCounted) continue;
      entry.items = 0;
      entry.bytes = 0;
    }
  }

  /** Adds an item that was there before, where it is not counted yet. */
  add(key: string, bytes: number): void {
    for (let entry = this.#find(key); entry !== undefined; entry = entry.parent) {
      if (entry.isCounted) continue;
      entry.items++;
      entry.bytes += bytes;
    }
  }

  /** All that was under a prefix has been added. */
  finish(prefix: CountedPrefix): void {
    for (const entry of this.#sorted) {
      if (entry.isCounted || !entry.prefix.startsWith(prefix.prefix)) continue;
      entry.isCounted = true;
      this.#touch(entry);
    }
  }

  moveHand(prefix: CountedPrefix, hand: string | undefined, handCas: number): void {
    const entry = this.#find(prefix.prefix);
    if (entry === undefined || entry !== prefix) return;
    entry.hand = hand;
    entry.handCas = handCas;
    this.#touch(entry);
  }

  /** Takes the rows to write: those of prefixes that changed since the last call and are counted. */
  takeDirtyRows(): { key: Buffer; value: Buffer }[] {
    const rows: { key: Buffer; value: Buffer }[] = [];
    for (const entry of this.#dirty) {
      entry.isDirty = false;
      if (entry.isCounted) rows.push({ key: quotaKey(entry.prefix), value: encodeQuota(entry) });
    }
    this.#dirty = [];
    return rows;
  }

  /** Takes over what is on disk; a prefix without a row is not counted. */
  load(rows: ReadonlyMap<string, QuotaRow>): void {
    this.#generation++;
    this.#dirty = [];
    for (const entry of this.#sorted) {
      const row = rows.get(entry.prefix);
      entry.isDirty = false;
      entry.isCounted = row !== undefined;
      entry.items = row?.items ?? 0;
      entry.bytes = row?.bytes ?? 0;
      entry.hand = row?.hand;
      entry.handCas = row?.handCas ?? 0;
    }
  }

  #find(key: string): Entry | undefined {
    const first = key.charCodeAt(0);
    const from = this.#starts[first]!;
    let low = from;
    let high = this.#starts[first + 1]!;
    // Up to here no prefix is above the key, from there all are.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.prefix <= key) low = middle + 1;
      else high = middle;
    }
    // What lies between the longest prefix and the key begins with that prefix too.
    let entry = low === from ? undefined : this.#sorted[low - 1];
    while (entry !== undefined && !key.startsWith(entry.prefix)) entry = entry.parent;
    return entry;
  }

  #touch(entry: Entry): void {
    if (entry.isDirty) return;
    entry.isDirty = true;
    this.#dirty.push(entry);
  }
}
