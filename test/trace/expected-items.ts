import { createHash } from 'node:crypto';
import type { ShownItem } from './text-client.ts';

const REALTIME_MAXDELTA = 2_592_000;
/** The server's clock may tick late, and the client's reading of it is older than its answer. */
const TICK_MS = 1100;

/** An item as it was stored. */
export interface ExpectedItem {
  /** Tells apart the values that a key has had. */
  readonly version: number;
  readonly bytes: number;
  readonly flags: number;
  /** Milliseconds: it must be there before the first, and gone after the second. */
  readonly aliveUntil: number;
  readonly deadFrom: number;
}

interface State {
  item: ExpectedItem | undefined;
  /** What may be there as well: a mutation of it was never answered. */
  doubts: (ExpectedItem | undefined)[];
}

export type Presence = 'present' | 'absent' | 'open';

/** What a server must hold, by what it has acknowledged. Fit for commands that do not overlap on a key. */
export class ExpectedItems {
  readonly #states = new Map<string, State>();
  #versions = 0;

  get keys(): string[] {
    return [...this.#states.keys()];
  }

  nextVersion(): number {
    this.#versions++;
    return this.#versions;
  }

  /** The item that the key has, unless it is in doubt. */
  itemOf(key: string): ExpectedItem | undefined {
    return this.#states.get(key)?.item;
  }

  /** Whether the key must be there for a command sent and answered at these times. */
  presence(key: string, sentMs: number, answeredMs: number): Presence {
    const state = this.#states.get(key);
    if (state === undefined) return 'absent';
    if (state.doubts.length > 0) return 'open';
    if (state.item === undefined || sentMs > state.item.deadFrom) return 'absent';
    return answeredMs < state.item.aliveUntil ? 'present' : 'open';
  }

  /** A mutation was acknowledged. */
  set(key: string, item: ExpectedItem | undefined): void {
    this.#states.set(key, { item, doubts: [] });
  }

  /** A mutation was sent and its answer lost: both may hold. */
  doubt(key: string, item: ExpectedItem | undefined): void {
    const state = this.#states.get(key);
    this.#states.set(key, { item: state?.item, doubts: [...(state?.doubts ?? []), item] });
  }

  /** Takes in what a get has shown. Returns what is wrong with it, if anything. */
  observe(key: string, shown: ShownItem | undefined, sentMs: number, answeredMs: number): string | undefined {
    const presence = this.presence(key, sentMs, answeredMs);
    const state = this.#states.get(key);
    if (shown === undefined) {
      if (presence === 'present') return 'missing';
      this.set(key, undefined);
      return undefined;
    }
    if (presence === 'absent') return 'there though it is deleted or expired';
    const match = [state?.item, ...(state?.doubts ?? [])].find(
      (item) => item !== undefined && item.flags === shown.flags && valueOf(key, item.version, item.bytes).equals(shown.value),
    );
    if (match === undefined) return 'there with a wrong value or wrong flags';
    this.set(key, match);
    return undefined;
  }
}

/** The expiry that an exptime means for a store that was sent and answered at these times. */
export function expectedExpiry(exptime: number, sentMs: number, answeredMs: number): Pick<ExpectedItem, 'aliveUntil' | 'deadFrom'> {
  if (exptime === 0) return { aliveUntil: Infinity, deadFrom: Infinity };
  if (exptime > REALTIME_MAXDELTA) return { aliveUntil: exptime * 1000 - TICK_MS, deadFrom: exptime * 1000 + TICK_MS };
  return {
    aliveUntil: (Math.floor(sentMs / 1000) + exptime) * 1000 - TICK_MS,
    deadFrom: (Math.floor(answeredMs / 1000) + exptime) * 1000 + TICK_MS,
  };
}

/** The value that a version of a key has: bytes of its own, all along. */
export function valueOf(key: string, version: number, bytes: number): Buffer {
  const seed = createHash('sha1').update(`${key} ${version}`).digest();
  return Buffer.alloc(bytes, seed);
}
