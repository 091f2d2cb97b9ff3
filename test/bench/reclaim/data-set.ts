import { NAME_BYTES, ValuePool, writeName } from '../load/items.ts';
import { Random } from '../load/random.ts';

/** One item of so many stays. */
export const KEPT_OF = 10;

/** Ways in which most of a store can go. */
export const WAYS = ['delete', 'prefix', 'expire', 'flush'] as const;
export type Way = (typeof WAYS)[number];

/** What is stored. */
export interface DataSet {
  readonly way: Way;
  readonly items: number;
  readonly valueBytes: number;
}

/** Whether an item stays. */
export function isKept(id: number): boolean {
  return id % KEPT_OF === 0;
}

/** One of the items that stay; `unit` in [0, 1). */
export function keptId({ items }: DataSet, unit: number): number {
  return Math.floor((unit * items) / KEPT_OF) * KEPT_OF;
}

/** The key of an item; with a prefix that tells whether it stays where that is how the others go. */
export function keyOf({ way }: DataSet, id: number): string {
  const name = Buffer.allocUnsafe(NAME_BYTES);
  writeName(name, 0, id);
  const prefix = way === 'prefix' && !isKept(id) ? 'gone:' : 'item:';
  return prefix + name.toString('latin1');
}

/** Makes `set` requests. */
export class SetMaker {
  readonly #data: DataSet;
  readonly #pool = new ValuePool(1);
  readonly #random = new Random(1);

  constructor(data: DataSet) {
    this.#data = data;
  }

  /** Requests that store these items; those that do not stay expire at `expiresAt` (Unix seconds; 0 = never). */
  requests(ids: readonly number[], expiresAt: number): Buffer {
    const { valueBytes } = this.#data;
    const parts: Buffer[] = [];
    for (const id of ids) {
      const value = Buffer.allocUnsafe(valueBytes + 2);
      this.#pool.writeValue(value, 0, valueBytes, id, this.#random);
      value.write('\r\n', valueBytes);
      parts.push(Buffer.from(`set ${keyOf(this.#data, id)} 0 ${isKept(id) ? 0 : expiresAt} ${valueBytes}\r\n`), value);
    }
    return Buffer.concat(parts);
  }
}
