/**
 * The rows of the store's LevelDB, by the first byte of their key (docs/storage-format.md):
 *
 *     item    := "i" key                                 -> item-row.ts
 *     state   := "m" "state"                             -> state-row.ts
 *     hand    := "m" "hand"                              the key that eviction has come to
 *     tail    := "m" "tail"                              -> log-tail.ts
 *     job     := "m" "job" number(u64 BE)                -> job-row.ts
 *     quota   := "m" "quota" prefix                      -> quota-row.ts
 *     segment := "s" page(u32 BE)                        -> segment-table.ts
 *     due     := "t" deadline(u32 BE) shift(u8) number(u64 BE)  -> due-row.ts
 *
 * Do not change these: they are on disk.
 */
export const ITEM = 0x69;
export const META = 0x6d;
export const SEGMENT = 0x73;
export const DUE = 0x74;

export const HAND_KEY: Buffer = Buffer.from('mhand', 'latin1');
export const STATE_KEY: Buffer = Buffer.from('mstate', 'latin1');

/** Row key of an item; `key` is the item's key as a latin1 string, a character per byte. */
export function itemKey(key: string): Buffer {
  const row = Buffer.allocUnsafe(1 + key.length);
  row[0] = ITEM;
  row.write(key, 1, 'latin1');
  return row;
}

/** The item's key, as a latin1 string, from its row key. */
export function keyOfItem(row: Buffer): string {
  return row.toString('latin1', 1);
}

/** The smallest row key above all that start with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: Buffer): Buffer | undefined {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i]! < 0xff) {
      end[i] = end[i]! + 1;
      return end.subarray(0, i + 1);
    }
  }
  return undefined;
}
