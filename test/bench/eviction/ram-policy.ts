import { BuiltItem } from '../../../src/item.ts';
import { hashKey } from '../../../src/ram/hash.ts';
import { RamTier } from '../../../src/ram/ram-tier.ts';
import { keyOf, type Policy } from './policy.ts';

const SEED = 1;
const FLAGS = 0;
const CAS = 1;

/** The server's RAM tier. A key must be latin1, and a value is zeros. */
export class RamPolicy implements Policy {
  /** Copies stay in memory. */
  readonly copied = 0;
  readonly #tier: RamTier;
  readonly #key = Buffer.allocUnsafe(256);
  #zeros = Buffer.alloc(0);

  /** `bytes` are all that the tier may allocate, rows and indexes included. */
  constructor(bytes: number) {
    this.#tier = new RamTier(bytes);
  }

  /** Bytes of what it holds, without what is free or not worth a name. */
  get usedBytes(): number {
    return this.#tier.stats().usedBytes;
  }

  get(key: number): boolean {
    const end = this.#key.write(keyOf(key), 'latin1');
    const slot = this.#tier.find(hashKey(this.#key, 0, end, SEED), this.#key, 0, end);
    if (slot < 0) return false;
    this.#tier.touched(slot);
    return true;
  }

  set(key: number, valueBytes: number): void {
    if (this.#zeros.length < valueBytes) this.#zeros = Buffer.alloc(valueBytes);
    const end = this.#key.write(keyOf(key), 'latin1');
    const item = new BuiltItem(FLAGS, 0, 0, CAS, 0, 0, undefined, valueBytes, this.#zeros.subarray(0, valueBytes), undefined);
    this.#tier.put(hashKey(this.#key, 0, end, SEED), this.#key, 0, end, item);
  }

  delete(key: number): void {
    const end = this.#key.write(keyOf(key), 'latin1');
    this.#tier.forget(hashKey(this.#key, 0, end, SEED), this.#key, 0, end);
  }
}
