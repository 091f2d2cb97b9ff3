import { itemBytes, type Policy } from './policy.ts';

/** An item that is there. */
interface Entry {
  readonly bytes: number;
  /** Reads since it was stored or last judged. */
  count: number;
}

/** Counts of GCLOCK and S3-FIFO go up to here, as those of the RAM tier and of eviction from disk do. */
const COUNT_MAX = 3;
/** The share of S3-FIFO's small queue. */
const SMALL_SHARE = 0.1;

/** Items in the order in which they go. */
abstract class QueuePolicy implements Policy {
  /** A Map lists keys in the order in which they were put in. */
  protected readonly queue = new Map<number, Entry>();
  copied = 0;
  readonly #capacity: number;
  #held = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: number): boolean {
    const entry = this.queue.get(key);
    if (entry === undefined) return false;
    this.touched(key, entry);
    return true;
  }

  set(key: number, valueBytes: number): void {
    this.delete(key);
    const bytes = itemBytes(valueBytes);
    if (bytes > this.#capacity) return;
    while (this.#held + bytes > this.#capacity) this.delete(this.victim());
    this.queue.set(key, { bytes, count: 0 });
    this.#held += bytes;
  }

  delete(key: number): void {
    const entry = this.queue.get(key);
    if (entry === undefined) return;
    this.queue.delete(key);
    this.#held -= entry.bytes;
  }

  protected abstract touched(key: number, entry: Entry): void;

  /** The key to go next. REQUIRES: there is one. */
  protected victim(): number {
    return this.queue.keys().next().value!;
  }

  protected toEnd(key: number, entry: Entry): void {
    this.queue.delete(key);
    this.queue.set(key, entry);
  }
}

/** First in, first out. */
export class Fifo extends QueuePolicy {
  protected override touched(): void {}
}

/** The least recently used goes. On disk it would have to be written anew at each read; that is not counted. */
export class Lru extends QueuePolicy {
  protected override touched(key: number, entry: Entry): void {
    this.toEnd(key, entry);
  }
}

/** FIFO that passes over what was read, as often as it was, up to three times (GCLOCK). */
export class Clock extends QueuePolicy {
  protected override touched(_key: number, entry: Entry): void {
    entry.count = Math.min(COUNT_MAX, entry.count + 1);
  }

  protected override victim(): number {
    for (;;) {
      const key = super.victim();
      const entry = this.queue.get(key)!;
      if (entry.count === 0) return key;
      entry.count--;
      this.copied += entry.bytes;
      this.toEnd(key, entry);
    }
  }
}

interface Node extends Entry {
  readonly key: number;
  newer: Node | undefined;
  older: Node | undefined;
}

/** SIEVE (Zhang et al., 2024): a hand goes from old to new and evicts what was not read; what was read stays where it is. */
export class Sieve implements Policy {
  readonly copied = 0;
  readonly #nodes = new Map<number, Node>();
  readonly #capacity: number;
  #held = 0;
  #newest: Node | undefined;
  #oldest: Node | undefined;
  #hand: Node | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: number): boolean {
    const node = this.#nodes.get(key);
    if (node === undefined) return false;
    node.count = 1;
    return true;
  }

  set(key: number, valueBytes: number): void {
    this.delete(key);
    const bytes = itemBytes(valueBytes);
    if (bytes > this.#capacity) return;
    while (this.#held + bytes > this.#capacity) this.#evict();
    const node: Node = { key, bytes, count: 0, newer: undefined, older: this.#newest };
    if (this.#newest !== undefined) this.#newest.newer = node;
    this.#newest = node;
    this.#oldest ??= node;
    this.#nodes.set(key, node);
    this.#held += bytes;
  }

  delete(key: number): void {
    const node = this.#nodes.get(key);
    if (node === undefined) return;
    if (this.#hand === node) this.#hand = node.newer;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    if (node.older === undefined) this.#oldest = node.newer;
    else node.older.newer = node.newer;
    this.#nodes.delete(key);
    this.#held -= node.bytes;
  }

  #evict(): void {
    let node = this.#hand ?? this.#oldest!;
    while (node.count > 0) {
      node.count = 0;
      node = node.newer ?? this.#oldest!;
    }
    this.#hand = node;
    this.delete(node.key);
  }
}

/** S3-FIFO (Yang et al., 2023): a small queue for what is new, a main one for what was read there, and a memory of what left the small one. */
export class S3Fifo implements Policy {
  copied = 0;
  readonly #small = new Map<number, Entry>();
  readonly #main = new Map<number, Entry>();
  /** Keys that left the small queue, for as many as the main one has. */
  readonly #ghost = new Set<number>();
  readonly #capacity: number;
  #smallHeld = 0;
  #mainHeld = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: number): boolean {
    const entry = this.#small.get(key) ?? this.#main.get(key);
    if (entry === undefined) return false;
    entry.count = Math.min(COUNT_MAX, entry.count + 1);
    return true;
  }

  set(key: number, valueBytes: number): void {
    this.delete(key);
    const bytes = itemBytes(valueBytes);
    if (bytes > this.#capacity) return;
    while (this.#smallHeld + this.#mainHeld + bytes > this.#capacity) this.#evict();
    if (this.#ghost.delete(key)) this.#toMain(key, { bytes, count: 0 });
    else {
      this.#small.set(key, { bytes, count: 0 });
      this.#smallHeld += bytes;
    }
  }

  delete(key: number): void {
    const small = this.#small.get(key);
    if (small !== undefined && this.#small.delete(key)) this.#smallHeld -= small.bytes;
    const main = this.#main.get(key);
    if (main !== undefined && this.#main.delete(key)) this.#mainHeld -= main.bytes;
  }

  #toMain(key: number, entry: Entry): void {
    this.#main.set(key, entry);
    this.#mainHeld += entry.bytes;
  }

  #evict(): void {
    const isSmall = this.#smallHeld >= SMALL_SHARE * this.#capacity || this.#main.size === 0;
    const [key, entry] = (isSmall ? this.#small : this.#main).entries().next().value!;
    this.delete(key);
    // Once more is read by chance; what is to pass into the main queue must have been read twice.
    if (entry.count > (isSmall ? 1 : 0)) {
      this.copied += entry.bytes;
      this.#toMain(key, { bytes: entry.bytes, count: isSmall ? 0 : entry.count - 1 });
      return;
    }
    if (!isSmall) return;
    this.#ghost.add(key);
    while (this.#ghost.size > this.#main.size + this.#small.size) this.#ghost.delete(this.#ghost.values().next().value!);
  }
}

/** Everything is kept: what no policy can exceed. */
export class Unlimited implements Policy {
  readonly copied = 0;
  readonly #keys = new Set<number>();

  get(key: number): boolean {
    return this.#keys.has(key);
  }

  set(key: number): void {
    this.#keys.add(key);
  }

  delete(key: number): void {
    this.#keys.delete(key);
  }
}
