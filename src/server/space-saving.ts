/** A key, how much it weighs at most, and by how much that may be too much. */
export interface Weighed {
  readonly key: string;
  readonly weight: number;
  readonly error: number;
}

/**
 * The heaviest keys of a stream in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005). A key that is
 * not counted takes the place of the lightest one and its weight, which is then the error of its own. Every key with
 * more than a `capacity`-th of the whole weight is among those counted.
 */
export class SpaceSaving {
  readonly #capacity: number;
  /** A binary heap, the lightest first, in columns. */
  readonly #keys: string[] = [];
  readonly #weights: Float64Array;
  readonly #errors: Float64Array;
  /** Where in the heap a key is. */
  readonly #places = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#weights = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
  }

  add(key: string, weight: number): void {
    let place = this.#places.get(key);
    if (place !== undefined) this.#weights[place]! += weight;
    else if (this.#keys.length < this.#capacity) {
      place = this.#keys.push(key) - 1;
      this.#weights[place] = weight;
      this.#errors[place] = 0;
      this.#places.set(key, place);
      this.#rise(place);
      return;
    } else {
      place = 0;
      this.#places.delete(this.#keys[0]!);
      this.#places.set(key, 0);
      this.#keys[0] = key;
      this.#errors[0] = this.#weights[0]!;
      this.#weights[0]! += weight;
    }
    this.#sink(place);
  }

  /** The heaviest keys, the heaviest first. */
  top(count: number): Weighed[] {
    const all = this.#keys.map((key, i): Weighed => ({ key, weight: this.#weights[i]!, error: this.#errors[i]! }));
    return all.toSorted((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1)).slice(0, count);
  }

  /** Halves all weights, so that what came earlier counts for less. The order stays. */
  halve(): void {
    for (let i = 0; i < this.#keys.length; i++) {
      this.#weights[i]! /= 2;
      this.#errors[i]! /= 2;
    }
  }

  clear(): void {
    this.#keys.length = 0;
    this.#places.clear();
  }

  /** Moves what is at a place towards the top, past all that is heavier. */
  #rise(from: number): void {
    const key = this.#keys[from]!;
    const weight = this.#weights[from]!;
    const error = this.#errors[from]!;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#weights[parent]! <= weight) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#put(place, key, weight, error);
  }

  /** Moves what is at a place towards the bottom, past all that is lighter. */
  #sink(from: number): void {
    const key = this.#keys[from]!;
    const weight = this.#weights[from]!;
    const error = this.#errors[from]!;
    const size = this.#keys.length;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#weights[child + 1]! < this.#weights[child]!) child++;
      if (this.#weights[child]! >= weight) break;
      this.#move(child, place);
      place = child;
    }
    if (place !== from) this.#put(place, key, weight, error);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#keys[from]!, this.#weights[from]!, this.#errors[from]!);
  }

  #put(place: number, key: string, weight: number, error: number): void {
    this.#keys[place] = key;
    this.#weights[place] = weight;
    this.#errors[place] = error;
    this.#places.set(key, place);
  }
}
