import { casOf, type Item, type U64 } from '../item.ts';
import { Op } from './command.ts';

/** What a storage command comes to. The names are memcached's. */
export type StoreOutcome = 'stored' | 'not_stored' | 'exists' | 'not_found';

/** Which of the storage commands. */
export type StoreOp = typeof Op.set | typeof Op.add | typeof Op.replace | typeof Op.append | typeof Op.prepend | typeof Op.cas;

/**
 * Decides what a storage command does to the item there is (undefined = none, or none alive), by the
 * table in docs/protocol.md. Pure. `stored` means: the offered value is to be stored, joined to the
 * present one by append and prepend.
 */
export function decideStore(op: StoreOp, current: Item | undefined, casUnique: U64): StoreOutcome {
  switch (op) {
    case Op.set:
      return 'stored';
    case Op.add:
      return current === undefined ? 'stored' : 'not_stored';
    case Op.replace:
      return current === undefined ? 'not_stored' : 'stored';
    case Op.append:
    case Op.prepend:
      if (current === undefined) return 'not_stored';
      // Only the binary protocol gives these a condition; 0 is none.
      return casUnique !== 0 && casOf(current) !== casUnique ? 'exists' : 'stored';
    case Op.cas:
      if (current === undefined) return 'not_found';
      return casOf(current) === casUnique ? 'stored' : 'exists';
  }
}

/** The value that results: the offered one, or it and the present one joined. REQUIRES: outcome `stored`. */
export function joinValues(op: StoreOp, current: Item | undefined, offered: Buffer): Buffer {
  if (current?.value === undefined || (op !== Op.append && op !== Op.prepend)) return offered;
  return op === Op.append ? Buffer.concat([current.value, offered]) : Buffer.concat([offered, current.value]);
}
