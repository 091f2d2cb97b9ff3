import { BuiltItem, type Item } from '../../../src/item.ts';

/** Unix seconds at which items are stored. */
export const NOW = 1_800_000_000;
/** Bytes of a value. */
export const VALUE_BYTES = 100;

/** An item for the RAM tier that lives for ever, made as the server makes them. Neighbours differ in cas unique and value. */
export function remembered(index: number): Item {
  return new BuiltItem(0, 0, NOW, index + 1, 0, 0, undefined, VALUE_BYTES, Buffer.alloc(VALUE_BYTES, index & 0xff), undefined);
}
