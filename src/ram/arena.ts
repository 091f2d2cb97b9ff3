/** Bytes in front of each record: slot and size, 32 bits each. */
export const HEADER_BYTES = 8;
/** Not an address. */
export const NOWHERE = 0xffffffff;

/** Records start on multiples of this, so that an address fits 32 bits up to 32 GB of arena. */
const ALIGN = 8;
/** Share of the segments that the small queue may hold before it is evicted from first (S3-FIFO: a tenth). */
const SMALL_SHARE = 0.1;
/**
 * Share of a main-queue segment that may survive its own eviction. Below 1, so that each eviction
 * frees something, and copying per eviction is bounded. What exceeds it goes though it is in use: with a half, a tenth of 100,000 items
 * gave 71.4 % hits instead of 72.2 (Zipf 0.99, `npm run bench -- --ram`); seven eighths gave 72.5, and may copy
 * seven segments for one that they free.
 */
const SURVIVORS_SHARE = 0.75;

/**
 * Segments whose memory is asked for at once. The system has it in huge pages only where a piece is larger than these (2 MB), and only
 * what is used of it takes memory. What that gains is in docs/operations.md, "Huge pages".
 */
const SLAB_SEGMENTS = 32;

/** Who owns the slots that records belong to. */
export interface Mover {
  livesAt(slot: number, address: number): boolean;
  isUsed(slot: number): boolean;
  survives(slot: number, fromMain: boolean): boolean;
  moved(slot: number, address: number): void;
  evicted(slot: number, fromMain: boolean): void;
}

/**
 * Memory in equal segments that are filled front to back and evicted whole, in two FIFO queues.
 * A record is `slot u32, size u32, key, value`, padded to 8 bytes; an address counts units of 8
 * bytes from the start of segment 0. Memory is allocated when first needed, for some segments at a time.
 */
export class Arena {
  readonly #segmentBytes: number;
  readonly #segmentUnits: number;
  readonly #count: number;
  readonly #slabs: ArrayBuffer[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #words: Uint32Array[] = [];
  readonly #fill: Uint32Array;
  readonly #free: number[] = [];
  readonly #small: number[] = [];
  readonly #main: number[] = [];
  #mover: Mover;
  #activeSmall = -1;
  #activeMain = -1;
  #usedBytes = 0;
  #smallEvicted = 0;

  constructor(bytes: number, mover: Mover) {
    this.#mover = mover;
    // 1 MB segments take any item of the default size limit; a small arena needs smaller ones to have queues at all.
    let segmentBytes = 2 ** 20;
    while (segmentBytes > 4096 && bytes / segmentBytes < 16) segmentBytes /= 2;
    this.#segmentBytes = segmentBytes;
    this.#segmentUnits = segmentBytes / ALIGN;
    // Four bytes more for each one's fill.
    const count = Math.floor(bytes / (segmentBytes + 4));
    this.#count = count < 4 ? 0 : Math.min(count, Math.floor(NOWHERE / this.#segmentUnits));
    this.#fill = new Uint32Array(this.#count);
    for (let i = this.#count - 1; i >= 0; i--) this.#free.push(i);
  }

  /** The slots are now another's. REQUIRES: nothing is allocated. */
  belongTo(mover: Mover): void {
    this.#mover = mover;
  }

  get enabled(): boolean {
    return this.#count > 0;
  }

  /** Bytes of live records, headers and padding included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Most segments that there will be. */
  get segments(): number {
    return this.#count;
  }

  /** Segments that hold something. */
  get segmentsUsed(): number {
    return this.#small.length + this.#main.length;
  }

  /** Segments evicted so far from the small queue. */
  get smallEvicted(): number {
    return this.#smallEvicted;
  }

  /** Bytes of a whole record around so many bytes of key and value. */
  sizeOf(bytes: number): number {
    return (HEADER_BYTES + bytes + ALIGN - 1) & ~(ALIGN - 1);
  }

  fits(size: number): boolean {
    return this.#count > 0 && size <= this.#segmentBytes;
  }

  buffer(address: number): Buffer {
    return this.#buffers[(address / this.#segmentUnits) | 0]!;
  }

  offset(address: number): number {
    return (address % this.#segmentUnits) * ALIGN;
  }

  /** Bytes of the record at an address. */
  capacity(address: number): number {
    const words = this.#words[(address / this.#segmentUnits) | 0]!;
    return words[this.offset(address) / 4 + 1]!;
  }

  /** The record at an address is dead; its bytes come back with its segment. */
  discard(address: number): void {
    this.#usedBytes -= this.capacity(address);
  }

  /** Makes a record for a slot, in the main queue or the small one. Evicts when there is no room. */
  allocate(slot: number, size: number, toMain: boolean): number {
    let active = toMain ? this.#activeMain : this.#activeSmall;
    if (active < 0 || this.#fill[active]! + size > this.#segmentBytes) {
      // One segment stays in reserve, so that an eviction can always copy its survivors.
      while (this.#free.length <= 1) this.evict();
      // The evictions may have opened a new active segment with room in it.
      active = toMain ? this.#activeMain : this.#activeSmall;
      if (active < 0 || this.#fill[active]! + size > this.#segmentBytes) active = this.#open(toMain);
    }
    return this.#append(active, slot, size);
  }

  /** Evicts the oldest segment of the queue whose turn it is. REQUIRES: something was allocated. */
  evict(): void {
    const smallMost = Math.max(1, Math.floor(this.#count * SMALL_SHARE));
    const fromMain = this.#main.length > 0 && this.#small.length <= smallMost;
    if (fromMain) this.#passOverUsed();
    const segment = (fromMain ? this.#main : this.#small).shift();
    if (segment === undefined) return;
    if (!fromMain) this.#smallEvicted++;
    if (segment === this.#activeMain) this.#activeMain = -1;
    if (segment === this.#activeSmall) this.#activeSmall = -1;
    let copyable = fromMain ? this.#segmentBytes * SURVIVORS_SHARE : this.#segmentBytes;
    const words = this.#words[segment]!;
    const base = segment * this.#segmentUnits;
    const fill = this.#fill[segment]!;
    for (let at = 0; at < fill; ) {
      const slot = words[at / 4]!;
      const size = words[at / 4 + 1]!;
      const address = base + at / ALIGN;
      if (this.#mover.livesAt(slot, address)) {
        this.#usedBytes -= size;
        const target = size <= copyable && this.#mover.survives(slot, fromMain) ? this.#roomInMain(size) : -1;
        if (target < 0) {
          this.#mover.evicted(slot, fromMain);
        } else {
          copyable -= size;
          const copy = this.#append(target, slot, size);
          this.#buffers[segment]!.copy(this.#buffers[target]!, this.offset(copy) + HEADER_BYTES, at + HEADER_BYTES, at + size);
          this.#mover.moved(slot, copy);
        }
      }
      at += size;
    }
    this.#fill[segment] = 0;
    this.#free.push(segment);
  }

  clear(): void {
    this.#free.push(...this.#small.splice(0), ...this.#main.splice(0));
    this.#fill.fill(0);
    this.#activeMain = -1;
    this.#activeSmall = -1;
    this.#usedBytes = 0;
  }

  /**
   * Lets the oldest segment of the main queue go round once more, which costs each record a use, if more of it is in use than may
   * survive: what is asked for most gathers in few segments, and would lose a quarter in each lap though the rest of the queue is idle.
   */
  #passOverUsed(): void {
    const segment = this.#main[0]!;
    if (this.#main.length === 1) return;
    const words = this.#words[segment]!;
    const base = segment * this.#segmentUnits;
    const fill = this.#fill[segment]!;
    let used = 0;
    for (let at = 0; at < fill; at += words[at / 4 + 1]!) {
      const slot = words[at / 4]!;
      if (this.#mover.livesAt(slot, base + at / ALIGN) && this.#mover.isUsed(slot)) used += words[at / 4 + 1]!;
    }
    if (used <= this.#segmentBytes * SURVIVORS_SHARE) return;
    for (let at = 0; at < fill; at += words[at / 4 + 1]!) {
      const slot = words[at / 4]!;
      if (this.#mover.livesAt(slot, base + at / ALIGN)) this.#mover.survives(slot, true);
    }
    this.#main.shift();
    this.#main.push(segment);
  }

  #append(segment: number, slot: number, size: number): number {
    const at = this.#fill[segment]!;
    const words = this.#words[segment]!;
    words[at / 4] = slot;
    words[at / 4 + 1] = size;
    this.#fill[segment] = at + size;
    this.#usedBytes += size;
    return segment * this.#segmentUnits + at / ALIGN;
  }

  #roomInMain(size: number): number {
    if (this.#activeMain >= 0 && this.#fill[this.#activeMain]! + size <= this.#segmentBytes) return this.#activeMain;
    return this.#free.length > 0 ? this.#open(true) : -1;
  }

  #open(main: boolean): number {
    const segment = this.#free.pop()!;
    if (this.#buffers[segment] === undefined) {
      const inSlab = segment % SLAB_SEGMENTS;
      const slab = this.#slabWith(segment - inSlab);
      this.#buffers[segment] = Buffer.from(slab, inSlab * this.#segmentBytes, this.#segmentBytes);
      this.#words[segment] = new Uint32Array(slab, inSlab * this.#segmentBytes, this.#segmentBytes / 4);
    }
    (main ? this.#main : this.#small).push(segment);
    if (main) this.#activeMain = segment;
    else this.#activeSmall = segment;
    return segment;
  }

  /** The memory of the segments from `first` on. */
  #slabWith(first: number): ArrayBuffer {
    return (this.#slabs[first / SLAB_SEGMENTS] ??= new ArrayBuffer(Math.min(SLAB_SEGMENTS, this.#count - first) * this.#segmentBytes));
  }
}
