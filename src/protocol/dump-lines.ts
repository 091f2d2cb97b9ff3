import { BASE64_KEY, type Item, type U64 } from '../item.ts';
import { encodeUriText } from './uri-key.ts';

/** What metadump tells of an item that is not stored with it. */
export interface ItemUse {
  /** Unix seconds at which it was last asked for or stored. */
  readonly lastAccess: number;
  readonly isFetched: boolean;
  /** Bytes as memcached counts them. */
  readonly size: number;
  /** As clients see it. */
  readonly cas: U64;
}

/** What a key cannot have in it to stand in a line of text. */
const NOT_IN_LINE = /[\0\n\r ]/;

/** A line of `lru_crawler metadump`: a blank and LF at its end, no CR. The key is a latin1 string here and below. */
export function metadumpLine(key: string, item: Item, { lastAccess, isFetched, size, cas }: ItemUse): string {
  const expires = item.expiresAt === 0 ? -1 : item.expiresAt;
  const fetched = isFetched ? 'yes' : 'no';
  return `key=${encodeUriText(key)} exp=${expires} la=${lastAccess} cas=${cas} fetch=${fetched} cls=1 size=${size} flags=${item.flags} \n`;
}

/**
 * A line of `lru_crawler mgdump`: the mg that finds the item. A key of the binary protocol that cannot stand
 * in a line is given in base64 as well.
 */
export function mgdumpLine(key: string, item: Item): string {
  if ((item.bits & BASE64_KEY) === 0 && !NOT_IN_LINE.test(key)) return `mg ${key}\r\n`;
  return `mg ${Buffer.from(key, 'latin1').toString('base64')} b\r\n`;
}

/** A line of `stats cachedump`; undefined for keys that it leaves out: those in base64, and those that cannot stand in a line. */
export function cachedumpLine(key: string, item: Item): string | undefined {
  if ((item.bits & BASE64_KEY) !== 0 || NOT_IN_LINE.test(key)) return undefined;
  return `ITEM ${key} [${item.length} b; ${item.expiresAt} s]\r\n`;
}
