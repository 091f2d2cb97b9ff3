import { RECORD_HEAD_BYTES } from '../../../src/store/item-row.ts';
import { INLINE_MAX } from '../../../src/store/tuning.ts';
import { scramble } from '../load/random.ts';
import { Kind, type Workload } from './workload.ts';

/** Bytes of a key. */
const KEY_BYTES = 16;
/** Bytes of a row besides key and value, as src/upkeep/evictor.ts counts. */
export const ROW_BYTES = 40;

/** A cache of bounded size that decides by itself what goes. */
export interface Policy {
  /** True on a hit. */
  get(key: number): boolean | Promise<boolean>;
  /** `bytes` are those of the value. */
  set(key: number, bytes: number): void | Promise<void>;
  delete(key: number): void | Promise<void>;
  /** Bytes of items that were written again to be kept. */
  readonly copied: number;
  close?(): Promise<void>;
}

/** What a policy came to. */
export interface Outcome {
  readonly hitRate: number;
  /** Bytes written for each byte that was stored: 1 = nothing is copied. */
  readonly writes: number;
}

/** The key as the store has it. Ids are ranks of popularity; rows are evicted in the order of keys, which knows nothing of that. */
export function keyOf(id: number): string {
  return `k${String(scramble(id)).padStart(KEY_BYTES - 1, '0')}`;
}

/** Bytes that an item takes in a segment or, if it is small, in a row. All policies count so. */
export function itemBytes(valueBytes: number): number {
  return valueBytes + KEY_BYTES + (valueBytes > INLINE_MAX ? RECORD_HEAD_BYTES : ROW_BYTES);
}

/** Bytes of all items that a workload asks for, each once. */
export function footprint({ keys, key, bytes }: Workload): number {
  const largest = new Uint32Array(keys);
  for (let i = 0; i < key.length; i++) largest[key[i]!] = Math.max(largest[key[i]!]!, bytes[i]!);
  return largest.reduce((sum, size) => sum + (size === 0 ? 0 : itemBytes(size)), 0);
}

/** Has a policy answer a workload. */
export async function replay(policy: Policy, { kinds, key, bytes, countedFrom }: Workload): Promise<Outcome> {
  let gets = 0;
  let hits = 0;
  let stored = 0;
  let copiedBefore = 0;
  for (let i = 0; i < kinds.length; i++) {
    const id = key[i]!;
    if (i === countedFrom) copiedBefore = policy.copied;
    const isCounted = i >= countedFrom;
    let isStored = kinds[i] === Kind.set;
    if (kinds[i] === Kind.delete) await policy.delete(id);
    if (kinds[i] === Kind.get) {
      const found = policy.get(id);
      const isHit = typeof found === 'boolean' ? found : await found;
      if (isCounted) {
        gets++;
        if (isHit) hits++;
      }
      isStored = !isHit && bytes[i]! > 0;
    }
    if (!isStored) continue;
    if (isCounted) stored += itemBytes(bytes[i]!);
    const done = policy.set(id, bytes[i]!);
    if (done !== undefined) await done;
  }
  return { hitRate: hits / gets, writes: 1 + (policy.copied - copiedBefore) / Math.max(1, stored) };
}
