import { crc32 } from 'node:zlib';
import { asSmall } from '../item.ts';

/**
 * What the store counts and must not forget. One row, written with every batch, so that it always
 * agrees with the items.
 */
export interface StoreState {
  /** Highest cas unique given out. */
  cas: number;
  /** Items stored, expired and flushed ones included until they are swept. */
  items: number;
  /** Bytes of keys and values of these items. */
  bytes: number;
  /** Items ever stored. */
  totalItems: number;
  /** Keys listed in index rows, stale ones included. */
  indexEntries: number;
  /** No index row has an earlier deadline (Unix seconds): where a sweep begins, past the tombstones. */
  indexFloor: number;
  /** Items with a cas unique up to this one were flushed. */
  flushCas: number;
  /** Unix seconds of a flush_all still to come; 0 = none. */
  flushAt: number;
  /** Flushed items below this cas unique are all deleted. */
  flushDone: number;
  /** Number of the newest write batch. */
  batch: number;
  /** Number of the next segment of the value log. */
  nextSegment: number;
  /** Items deleted because they had expired. */
  expired: number;
  /** Bytes of keys and values of items deleted by sweeps and flushes. */
  reclaimedBytes: number;
  /** Items evicted to make room on disk or under a prefix. */
  evicted: number;
  /** Items with a higher cas unique were stored after the hand of eviction began its lap: this lap leaves them alone. */
  handCas: number;
  /** Bytes of keys and values of the LevelDB rows of these items: what is alive in its tables. 0 with items = not known (row-bytes.ts). */
  rowBytes: number;
  /** 1 = who wrote this keeps quota rows up to date. A version that does not know them does not write the field. */
  keepsQuotas: number;
}

/** The fields in their order on disk, 64-bit floats, little endian. Append only. Behind the last is the check. */
const FIELDS = [
  'cas',
  'items',
  'bytes',
  'totalItems',
  'indexEntries',
  'indexFloor',
  'flushCas',
  'flushAt',
  'flushDone',
  'batch',
  'nextSegment',
  'expired',
  'reclaimedBytes',
  'evicted',
  'handCas',
  'rowBytes',
  'keepsQuotas',
] as const satisfies readonly (keyof StoreState)[];

export function emptyState(): StoreState {
  return {
    cas: 0,
    items: 0,
    bytes: 0,
    totalItems: 0,
    indexEntries: 0,
    indexFloor: 0,
    flushCas: 0,
    flushAt: 0,
    flushDone: 0,
    batch: 0,
    nextSegment: 1,
    expired: 0,
    reclaimedBytes: 0,
    evicted: 0,
    handCas: 0,
    rowBytes: 0,
    keepsQuotas: 0,
  };
}

/** Rows of at least so many floats end in a check, the CRC-32 of all bytes in front of it. Shorter ones are of versions that made none. */
const CHECKED_FLOATS = 18;
const CHECK_AT = FIELDS.length * 8;

export function encodeState(state: StoreState): Buffer {
  const row = Buffer.allocUnsafe(CHECK_AT + 8);
  FIELDS.forEach((field, i) => row.writeDoubleLE(state[field], i * 8));
  row.writeDoubleLE(crc32(row.subarray(0, CHECK_AT)), CHECK_AT);
  return row;
}

/**
 * Reads a row; fields that an older version did not write keep their first value, and those that only a newer one knows are
 * left out. Undefined when it is damaged.
 */
export function decodeState(row: Buffer): StoreState | undefined {
  const floats = row.length / 8;
  if (floats === 0 || !Number.isInteger(floats)) return undefined;
  const isChecked = floats >= CHECKED_FLOATS;
  const checkAt = row.length - 8;
  if (isChecked && row.readDoubleLE(checkAt) !== crc32(row.subarray(0, checkAt))) return undefined;
  const state = emptyState();
  for (const [i, field] of FIELDS.slice(0, isChecked ? floats - 1 : floats).entries()) {
    const value = row.readDoubleLE(i * 8);
    if (!Number.isSafeInteger(value) || value < 0) return undefined;
    state[field] = asSmall(value);
  }
  return state;
}
