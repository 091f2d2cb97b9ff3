import type { U64 } from '../item.ts';

/** The key's state must be loaded first (Residency.load); nothing was done or counted. */
export const NEEDS_LOAD = 'needs_load';
export type NeedsLoad = typeof NEEDS_LOAD;

/** The value is longer than `Cache.fetchLimit`; nothing was done or counted. */
export const NEEDS_ROOM = 'needs_room';
export type NeedsRoom = typeof NEEDS_ROOM;

const NOTHING = Buffer.alloc(0);

/** A key as it stands in some bytes: read at once, never kept. */
export interface KeyRange {
  buffer: Buffer;
  start: number;
  end: number;
}

/** The item that `fetch` found. `bytes` is borrowed: copy it out before the next call. */
export class Hit {
  bytes: Buffer = NOTHING;
  start = 0;
  length = 0;
  flags = 0;
  cas: U64 = 0;
  /** True when `bytes` never changes and may be kept. */
  owned = false;

  /** Hands over the value, as a view. The hit keeps nothing of it, so that it lives no longer than who takes it. */
  take(): Buffer {
    const value = this.bytes.subarray(this.start, this.start + this.length);
    this.bytes = NOTHING;
    return value;
  }
}
