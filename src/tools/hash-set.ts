/** Slots at first; a power of two. */
const FIRST_SLOTS = 1024;
/** Share of slots in use at which there are made more. */
const MAX_LOAD = 0.7;

/**
 * A set of pairs of 32-bit hashes: 8 bytes a slot, so that ten million take 128 MB at most. Two different things
 * being taken for one another is as likely as two equal 64-bit numbers.
 */
export class HashSet {
  #slots = new Uint32Array(FIRST_SLOTS * 2);
  #used = 0;
  size = 0;

  add(high: number, low: number): void {
    if (this.#used + 1 > (this.#slots.length / 2) * MAX_LOAD) this.#grow();
    this.#put(high >>> 0, mark(low));
  }

  has(high: number, low: number): boolean {
    return this.#find(high >>> 0, mark(low)) >= 0;
  }

  /** Takes a pair out; false when it was not there. */
  delete(high: number, low: number): boolean {
    const at = this.#find(high >>> 0, mark(low));
    if (at < 0) return false;
    // The slot stays in use, so that what was put behind it is still found.
    this.#slots[at] = 0;
    this.#slots[at + 1] = GONE;
    this.size--;
    return true;
  }

  #put(high: number, low: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let at = (high * 2) & last;
    while (slots[at + 1] !== FREE) {
      if (slots[at] === high && slots[at + 1] === low) return;
      at = (at + 2) & last;
    }
    slots[at] = high;
    slots[at + 1] = low;
    this.#used++;
    this.size++;
  }

  #find(high: number, low: number): number {
    const slots = this.#slots;
    const last = slots.length - 2;
    for (let at = (high * 2) & last; slots[at + 1] !== FREE; at = (at + 2) & last) {
      if (slots[at] === high && slots[at + 1] === low) return at;
    }
    return -1;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    this.#used = 0;
    this.size = 0;
    for (let at = 0; at < old.length; at += 2) if (old[at + 1]! > GONE) this.#put(old[at]!, old[at + 1]!);
  }
}

const FREE = 0;
const GONE = 1;

/** Keeps clear of the two numbers that mark slots without a pair. */
function mark(low: number): number {
  const bits = low >>> 0;
  return bits > GONE ? bits : bits + 2;
}
