import { type Command, Op } from '../cache/command.ts';
import type { Residency, Want } from '../cache/residency.ts';
import type { Dialect } from './dialect.ts';

/** Keys that one look ahead loads together. */
const LOOK_AHEAD_KEYS = 256;
/** Keys being read for all connections above which nobody looks ahead: it would cost memory and make nothing quicker. */
const LOADING_MAX = 1024;
/** Longest value that is loaded ahead of its turn: all of them together may be thrown away again, if the client does not read. */
const LOOK_AHEAD_VALUE_BYTES = 8 * 1024;

/**
 * The keys that are not resident: of a command that waits for them, from the one at `answered` on, and of the commands that
 * follow in `input`; undefined when none may follow. The key that is needed now is among them in any case, with its
 * value however long.
 */
export function keysToLoad(residency: Residency, dialect: Dialect, command: Command, answered: number, input: Buffer | undefined): Want[] {
  const wants: Want[] = [];
  const want = (bytes: Buffer, start: number, end: number, value: boolean, most: number): void => {
    const hash = residency.hash(bytes, start, end);
    if (residency.ram.find(hash, bytes, start, end) >= 0) return;
    const key = bytes.toString('latin1', start, end);
    if (residency.besideRam(key, value) === undefined) wants.push({ key, value, most });
  };
  const ahead = Math.max(1, Math.min(LOOK_AHEAD_KEYS, LOADING_MAX - residency.loading));
  const last = Math.min(command.keyCount, answered + ahead);
  const value = wantsValue(command.op) || joinsMeta(command);
  for (let i = answered; i < last; i++) {
    const most = i === answered ? Number.POSITIVE_INFINITY : LOOK_AHEAD_VALUE_BYTES;
    want(command.buffer, command.keyStarts[i]!, command.keyEnds[i]!, value, most);
  }
  if (input !== undefined && ahead > 1) {
    dialect.peekKeys(input, 0, input.length, ahead, (start, end, op) => want(input, start, end, wantsValue(op), LOOK_AHEAD_VALUE_BYTES));
  }
  return wants;
}

/** True for commands that may need the value there is, not only what is known of it; ms by its mode alone. */
function wantsValue(op: Op): boolean {
  return op <= Op.gats || (op >= Op.append && op <= Op.prepend) || op === Op.incr || op === Op.decr || op === Op.mg || op === Op.ma;
}

/** True for an ms that appends or prepends. */
function joinsMeta({ op, meta }: Command): boolean {
  return op === Op.ms && (meta.mode === 'append' || meta.mode === 'prepend');
}
