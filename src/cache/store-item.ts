import { casOf, type Item, type U64 } from '../item.ts';
import { type Command, Op } from './command.ts';
import type { StoreWord } from './observer.ts';

/** What a storage command comes to. The names are memcached's. */
export type StoreOutcome = 'stored' | 'not_stored' | 'exists' | 'not_found';

/** Which of the storage commands. */
export type StoreOp = typeof Op.set | typeof Op.add | typeof Op.replace | typeof Op.append | typeof Op.prepend | typeof Op.cas;

/**
 * Decides what a storage command does to the item there is (undefined = none, or none alive), by the
 * table in docs/protocol.md. Pure. `stored` means: the offered value is to be stored, joined to the
 * present one by append and prepend. With `comparesCas` false no item has the cas unique asked for.
 */
export function decideStore(op: StoreOp, current: Item | undefined, casUnique: U64, comparesCas: boolean): StoreOutcome {
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
      return casUnique === 0 || (comparesCas && casOf(current) === casUnique) ? 'stored' : 'exists';
    case Op.cas:
      if (current === undefined) return 'not_found';
      return comparesCas && casOf(current) === casUnique ? 'stored' : 'exists';
  }
}

/** The value that results: the offered one, or it and the present one joined. REQUIRES: outcome `stored`. */
export function joinValues(op: StoreOp, current: Item | undefined, offered: Buffer): Buffer {
  if (current?.value === undefined || (op !== Op.append && op !== Op.prepend)) return offered;
  return op === Op.append ? Buffer.concat([current.value, offered]) : Buffer.concat([offered, current.value]);
}

/** A storage command's word, for the observer. */
export function storeWordOf(op: StoreOp): StoreWord {
  switch (op) {
    case Op.set:
      return 'set';
    case Op.add:
      return 'add';
    case Op.replace:
      return 'replace';
    case Op.append:
      return 'append';
    case Op.prepend:
      return 'prepend';
    case Op.cas:
      return 'cas';
  }
}

/** The same for a command of any dialect: set and replace of ms with a condition are a cas. `null` for what stores no value. */
export function storeWord({ op, meta }: Command): StoreWord {
  if (op >= Op.set && op <= Op.cas) return storeWordOf(op as StoreOp);
  if (op !== Op.ms || meta.mode === 'incr' || meta.mode === 'decr') return 'null';
  return meta.compareCas !== undefined && (meta.mode === 'set' || meta.mode === 'replace') ? 'cas' : meta.mode;
}
