import type { Item } from '../../src/item.ts';

/** An item that never expires, with what the test cares about in place. */
export function buildItem(change: Partial<Item> & { value: Buffer }): Item {
  return {
    flags: 0,
    expiresAt: 0,
    storedAt: 1_700_000_000,
    cas: 1,
    ttlShift: 0,
    bits: 0,
    chosenCas: undefined,
    length: change.value.length,
    place: undefined,
    ...change,
  };
}

/** Bytes that differ from key to key and from version to version, so that a mix-up shows. */
export function bytesOf(length: number, version: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  const pattern = Math.min(length, 4096);
  for (let i = 0; i < pattern; i++) bytes[i] = (version * 31 + i * 7 + (i >> 8)) & 0xff;
  if (length > pattern) bytes.fill(bytes.subarray(0, pattern), pattern);
  return bytes;
}
