import { RECORD_HEAD_BYTES } from './item-row.ts';
import type { SegmentTable } from './segment-table.ts';
import type { StoreState } from './state-row.ts';

/** Bytes of an item's row besides key and value, and of a row with a key of usual length whose value lies in the value log. */
const INLINE_ROW_BYTES = 27;
const GUESSED_ROW_BYTES = 71;

/** Counts the row of an item that is stored now; to be called before the item itself is counted. */
export function countRow(state: StoreState, bytes: number): void {
  if (knowsRowBytes(state)) state.rowBytes += bytes;
}

/** Counts the row of an item that is gone. */
export function uncountRow(state: StoreState, bytes: number): void {
  // Below 0 the state row could not be read again.
  state.rowBytes = Math.max(0, state.rowBytes - bytes);
}

/** False in a store of a version that did not count bytes of rows, until nothing is left of what it stored. */
export function knowsRowBytes({ items, rowBytes }: Pick<StoreState, 'items' | 'rowBytes'>): boolean {
  return items === 0 || rowBytes > 0;
}

/** Bytes of keys and values of the rows of all items, or a guess where they were not counted. */
export function rowBytesOf(state: Readonly<StoreState>, segments: SegmentTable): number {
  if (knowsRowBytes(state)) return state.rowBytes;
  let outside = 0;
  let outsideBytes = 0;
  for (const [, use] of segments.entries()) {
    outside += use.liveItems;
    outsideBytes += use.liveBytes - use.liveItems * RECORD_HEAD_BYTES;
  }
  return Math.max(0, state.bytes - outsideBytes + (state.items - outside) * INLINE_ROW_BYTES + outside * GUESSED_ROW_BYTES);
}
