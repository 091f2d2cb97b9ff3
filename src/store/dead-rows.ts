/** Most keys that are remembered; with more, every second one is dropped and the rest count twice. */
const KEYS_MAX = 4096;
/** Dead bytes that a remembered key stands for at first. */
const BYTES_PER_KEY = 8 * 1024;
/** Bytes that LevelDB adds to a row in a table: sequence number, lengths, its part of the filter and of the block index. */
export const TABLE_ROW_BYTES = 12;

/**
 * Where in the key space rows of LevelDB died since the process started: every so many dead bytes the key that was at hand is
 * remembered. A row dies when its key is stored anew or deleted; the mark that deletes it is dead weight too. LevelDB drops
 * dead rows by itself now and then without telling, so this is how dead bytes are distributed, and an upper bound of how
 * many there are.
 */
export class DeadRows {
  readonly #keysMax: number;
  #keys: string[] = [];
  #isSorted = true;
  readonly #bytesPerKeyMin: number;
  #bytesPerKey: number;
  /** Dead bytes less those that remembered keys stand for. */
  #since = 0;
  /** Of those that the next key stands for, after how many it is taken: anywhere, so that no rhythm of commands hides a range. */
  #takeAt = 0;
  /** Dead bytes noted since the process started; never falls. */
  noted = 0;

  constructor(keysMax: number = KEYS_MAX, bytesPerKey: number = BYTES_PER_KEY) {
    this.#keysMax = keysMax;
    this.#bytesPerKeyMin = bytesPerKey;
    this.#bytesPerKey = bytesPerKey;
    this.#takeAt = Math.random() * bytesPerKey;
  }

  /** Dead bytes noted and not forgotten. */
  get bytes(): number {
    return Math.max(0, this.#keys.length * this.#bytesPerKey + this.#since);
  }

  /** So many bytes of rows under this key died. */
  note(key: string, bytes: number): void {
    this.noted += bytes;
    this.#since += bytes;
    if (this.#since > this.#takeAt) this.#remember(key);
  }

  /** Dead bytes noted for keys from `from` up to but without `to`; undefined = no bound. */
  between(from: string | undefined, to: string | undefined): number {
    const [start, end] = this.#range(from, to);
    return (end - start) * this.#bytesPerKey;
  }

  /** The range was compacted. */
  forget(from: string | undefined, to: string | undefined): void {
    const [start, end] = this.#range(from, to);
    this.#keys.splice(start, end - start);
    if (from === undefined && to === undefined) this.#since = 0;
  }

  /** Halves all that was noted, because LevelDB dropped much of it by itself: what dies from now on counts twice as much beside it. */
  age(): void {
    if (this.#bytesPerKey > this.#bytesPerKeyMin) this.#bytesPerKey /= 2;
    else {
      this.#sort();
      this.#keys = this.#keys.filter((_, i) => i % 2 === 0);
    }
    this.#since = Math.min(this.#since, this.#bytesPerKey);
  }

  #remember(key: string): void {
    while (this.#since > this.#takeAt) {
      this.#since -= this.#bytesPerKey;
      this.#takeAt = Math.random() * this.#bytesPerKey;
      this.#keys.push(key);
      this.#isSorted = false;
      if (this.#keys.length >= this.#keysMax) this.#halve();
    }
  }

  #halve(): void {
    // In the order of the keys, so that each range keeps its share.
    this.#sort();
    this.#keys = this.#keys.filter((_, i) => i % 2 === 0);
    this.#bytesPerKey *= 2;
  }

  #range(from: string | undefined, to: string | undefined): [number, number] {
    this.#sort();
    const start = from === undefined ? 0 : firstFrom(this.#keys, from);
    const end = to === undefined ? this.#keys.length : firstFrom(this.#keys, to);
    return [start, Math.max(start, end)];
  }

  #sort(): void {
    if (this.#isSorted) return;
    // Latin1 strings: their order is that of the bytes.
    this.#keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#isSorted = true;
  }
}

/** Index of the first key that is not below `key`. */
function firstFrom(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
